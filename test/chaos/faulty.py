"""A file system that fails, and forgets what was not synced.

    faulty.py STATE MOUNT SEED

STATE/fs is shown at MOUNT, one call at a time.  While STATE/eio exists, calls
end with EIO, one in four by chance.  Once STATE/cut exists all of them do: the
power is gone, and when the file system is unmounted STATE/fs is put back to
what a disk might hold then.  Of each page that was written after the last
fsync of its file either the old content is kept or the new, and of what was
appended some part from its beginning.  What happened to names (made, renamed,
removed) is undone from the last one back to some moment after the last fsync of
one of their folders.
"""
import errno
import os
import random
import sys

from fusepy import FUSE, FuseOSError, Operations

PAGE = 4096


class Faulty(Operations):
    use_ns = True
    flag_nullpath_ok = True     # of files that are open and removed

    def __init__(self, state, seed):
        self.state, self.root = state, os.path.join(os.path.abspath(state), "fs")
        self.grave = os.path.join(state, "grave")
        self.chance = random.Random(seed)
        self.pages = {}      # inode -> [size when synced, {page: what it was}]
        self.names = []      # [folders, how to undo], the oldest first
        self.n_buried = 0
        self.is_cut = False
        for folder in (self.root, self.grave):
            os.makedirs(folder, exist_ok=True)

    def __call__(self, op, path, *args):
        if op not in ("init", "destroy"):
            self.may_go_on(op)
        try:
            return getattr(self, op)(path and self.root + path, *args)
        except OSError as e:
            raise FuseOSError(e.errno) from e

    def may_go_on(self, op):
        self.is_cut = self.is_cut or os.path.exists(self.state + "/cut")
        if self.is_cut or (op not in ("release", "releasedir", "getattr") and
                           os.path.exists(self.state + "/eio") and
                           self.chance.random() < 0.25):
            raise FuseOSError(errno.EIO)

    # What is remembered until it is synced.

    def about_to_write(self, fd, at, size):
        st = os.fstat(fd)
        synced = self.pages.setdefault(st.st_ino, [st.st_size, {}])[1]
        for page in range(at // PAGE, (at + size + PAGE - 1) // PAGE):
            if page not in synced:
                synced[page] = os.pread(fd, PAGE, page * PAGE)

    def renamed(self, undo, *paths):
        self.names.append([{os.path.dirname(p) for p in paths}, undo])

    def bury(self, path):
        self.n_buried += 1
        kept = f"{self.grave}/{self.n_buried}"
        os.rename(path, kept)
        return kept

    def put_back(self):
        oldest = self.chance.randint(0, len(self.names))
        for _, undo in reversed(self.names[oldest:]):
            undo()
        by_inode = {}
        for folder, _, files in os.walk(self.state):
            for path in (os.path.join(folder, f) for f in files):
                if not os.path.islink(path):
                    by_inode[os.stat(path).st_ino] = path
        for inode, (size, synced) in self.pages.items():
            if inode in by_inode:
                self.forget(by_inode[inode], size, synced)

    def forget(self, path, size, synced):
        mode = os.stat(path).st_mode
        os.chmod(path, 0o600)
        with open(path, "r+b", buffering=0) as f:
            now = os.fstat(f.fileno()).st_size
            # What was appended is there up to some page, as file systems that
            # journal have it; what was written over, page by page.
            new = max(size, min(now, self.chance.randint(0, now // PAGE + 1) * PAGE))
            for page, was in synced.items():
                if was and self.chance.random() < 0.5:
                    f.seek(page * PAGE)
                    f.write(was)
            f.truncate(new)
        os.chmod(path, mode)

    def destroy(self, _):
        if self.is_cut or os.path.exists(self.state + "/cut"):
            self.put_back()

    # Names.

    def getattr(self, path, fh=None):
        st = os.fstat(fh) if fh is not None else os.lstat(path)
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_ino", "st_dev",
                 "st_blocks")
        out = {k: getattr(st, k) for k in names}
        out.update({k: getattr(st, k + "_ns") for k in ("st_atime", "st_mtime", "st_ctime")})
        return out

    def access(self, path, mode):
        if not os.access(path, mode):
            raise FuseOSError(errno.EACCES)
        return 0

    def readdir(self, path, fh):
        return [".", ".."] + os.listdir(path)

    def readlink(self, path):
        return os.readlink(path)

    def statfs(self, path):
        st = os.statvfs(path)
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files",
                 "f_flag", "f_frsize", "f_namemax")
        return {k: getattr(st, k) for k in names}

    def mkdir(self, path, mode):
        os.mkdir(path, mode)
        self.renamed(lambda: self.bury(path), path)

    def rmdir(self, path):
        mode = os.stat(path).st_mode
        os.rmdir(path)
        self.renamed(lambda: os.mkdir(path, mode), path)

    def symlink(self, path, target):
        os.symlink(target, path)
        self.renamed(lambda: os.unlink(path), path)

    def link(self, path, old):
        os.link(self.root + old, path)
        self.renamed(lambda: os.unlink(path), path)

    def unlink(self, path):
        kept = self.bury(path)
        self.renamed(lambda: os.rename(kept, path), path)

    def rename(self, old, new):
        new = self.root + new
        is_there = os.path.lexists(new)
        if os.path.isdir(old) and is_there:
            os.rmdir(new)
            is_there = False
        kept = self.bury(new) if is_there else None

        def undo():
            os.rename(new, old)
            if kept:
                os.rename(kept, new)
        os.rename(old, new)
        self.renamed(undo, old, new)

    def chmod(self, path, mode):
        os.chmod(path, mode)

    def chown(self, path, uid, gid):
        os.lchown(path, uid, gid)

    def utimens(self, path, times=None):
        os.utime(path, ns=times, follow_symlinks=False)

    # Content.

    def open(self, path, flags):
        # The kernel reads pages before it writes parts of them.
        if flags & os.O_ACCMODE == os.O_WRONLY:
            flags = flags & ~os.O_ACCMODE | os.O_RDWR
        return os.open(path, flags & ~os.O_TRUNC)

    def create(self, path, mode, fi=None):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        self.renamed(lambda: self.bury(path), path)
        return fd

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        self.about_to_write(fh, offset, len(data))
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        fd = fh if fh is not None else os.open(path, os.O_RDWR)
        try:
            size = os.fstat(fd).st_size
            self.about_to_write(fd, min(length, size), abs(size - length))
            os.ftruncate(fd, length)
        finally:
            if fh is None:
                os.close(fd)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)
        self.pages.pop(os.fstat(fh).st_ino, None)

    def fsyncdir(self, path, datasync, fh):
        for i in reversed(range(len(self.names))):
            if path in self.names[i][0]:
                del self.names[:i + 1]
                return

    def release(self, path, fh):
        os.close(fh)


if __name__ == "__main__":
    FUSE(Faulty(sys.argv[1], sys.argv[3]), sys.argv[2], foreground=True, nothreads=True,
         hard_remove=True, fsname="gg-faulty")
