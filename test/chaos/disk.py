"""Real file systems on the disk of disk.c, whose power can be cut.

What a program may count on after that is what these file systems give: the
kernel's own code journals, orders and replays.
"""
import os
import shutil
import subprocess
import time

SIZE = 400 << 20
HOME = f"/proc/{os.getppid()}/ns/mnt"   # of who made this namespace for us

# name: (make it, mount it with).  The harsh one writes what was not synced in
# any order, so that a file can have its new size and name and old blocks.
KINDS = {
    "ext4": (["mkfs.ext4", "-q", "-F"], "commit=1"),
    "xfs": (["mkfs.xfs", "-q", "-f"], "noatime"),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], "commit=1"),
    "harsh": (["mkfs.ext4", "-q", "-F"], "commit=1,data=writeback,noauto_da_alloc"),
}


def kinds_here():
    """Those whose tools this machine has; the harsh one only when it is named.  Its
    manual says that old data can appear in new files.  gg makes that good where a
    record of its own or the time of its placeholder speaks of the file; one that it
    made where nothing had stood, and whose record went too, it takes for an edit."""
    return [k for k, (make, _) in KINDS.items() if k != "harsh" and shutil.which(make[0])]


def run(*words):
    p = subprocess.run(words, check=False, capture_output=True, text=True)
    if p.returncode != 0:
        raise OSError(f"{' '.join(words)}: {p.stderr.strip()}")
    return p.stdout.strip()


def succeeds(*words):
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def in_a_minute(is_so):
    until = time.monotonic() + 60
    while not is_so():
        if time.monotonic() > until:
            raise OSError("the disk of disk.c: no answer")
        time.sleep(0.02)


class Disk:
    def __init__(self, program, folder, kind, rng):
        self.program, self.kind, self.rng = program, kind, rng
        self.raw, self.at = folder + "/raw", folder + "/fs"
        self.server = self.loop = None

    def open(self):
        os.makedirs(self.raw)
        os.makedirs(self.at)
        self.server = subprocess.Popen([self.program, self.raw, str(SIZE), HOME])
        in_a_minute(lambda: os.path.ismount(self.raw))
        self.attach()
        run(*KINDS[self.kind][0], self.loop)
        self.mount()

    def attach(self):
        self.loop = run("losetup", "--find", "--show", self.raw + "/disk")

    def mount(self):
        # Its kind is named: what a kind before it has left could be taken for it.
        make, options = KINDS[self.kind]
        run("mount", "-t", make[0].removeprefix("mkfs."), "-o", options, self.loop, self.at)

    def unmount(self):
        in_a_minute(lambda: succeeds("umount", self.at))
        run("losetup", "-d", self.loop)
        # It lets go of its file a moment after it says so.
        in_a_minute(lambda: not run("losetup", "-j", self.raw + "/disk"))
        self.loop = None

    def command(self, *words):
        fd = os.open(self.raw + "/control", os.O_WRONLY)
        os.write(fd, " ".join(map(str, words)).encode())
        os.close(fd)

    def cut(self, n_writes):
        self.command("cut", n_writes)

    def back(self):
        """After a cut, and when nothing uses it any more."""
        self.unmount()
        self.command("back", self.rng.getrandbits(32), self.rng.choice([0, 0, 30, 60, 90, 100]))
        self.attach()
        self.mount()

    def close(self):
        if self.loop:
            self.unmount()
        if self.server:
            in_a_minute(lambda: succeeds("umount", self.raw))
            self.server.wait(30)
