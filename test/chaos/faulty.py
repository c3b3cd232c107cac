"""A file system that fails now and then.

    faulty.py STATE MOUNT SEED NAMESPACE

Once it is mounted it goes into the mount namespace of that file, see disk.c.
STATE/fs is shown at MOUNT, one call at a time.  While STATE/eio exists, calls
end with EIO, one in four by chance.
"""
import ctypes
import errno
import os
import random
import sys

from fusepy import FUSE, FuseOSError, Operations

CLONE_NEWNS = 0x20000


class Faulty(Operations):
    use_ns = True
    flag_nullpath_ok = True     # of files that are open and removed

    def __init__(self, state, seed, home):
        self.state, self.root = state, os.path.join(os.path.abspath(state), "fs")
        self.chance = random.Random(seed)
        self.home = os.open(home, os.O_RDONLY)
        os.makedirs(self.root, exist_ok=True)

    def init(self, path):
        if ctypes.CDLL(None).setns(self.home, CLONE_NEWNS) != 0:
            raise OSError("faulty.py cannot leave this mount namespace")

    def __call__(self, op, path, *args):
        if op not in ("init", "destroy", "release", "releasedir", "getattr"):
            self.may_go_on()
        try:
            return getattr(self, op)(path and self.root + path, *args)
        except OSError as e:
            raise FuseOSError(e.errno) from e

    def may_go_on(self):
        if os.path.exists(self.state + "/eio") and self.chance.random() < 0.25:
            raise FuseOSError(errno.EIO)

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

    def rmdir(self, path):
        os.rmdir(path)

    def symlink(self, path, target):
        os.symlink(target, path)

    def link(self, path, old):
        os.link(self.root + old, path)

    def unlink(self, path):
        os.unlink(path)

    def rename(self, old, new):
        os.rename(old, self.root + new)

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
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(path if fh is None else fh, length)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def fsyncdir(self, path, datasync, fh):
        pass

    def release(self, path, fh):
        os.close(fh)


if __name__ == "__main__":
    FUSE(Faulty(sys.argv[1], sys.argv[3], sys.argv[4]), sys.argv[2], foreground=True, nothreads=True,
         hard_remove=True, fsname="gg-faulty")
