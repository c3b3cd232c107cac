"""A random graph is forced again and again while everything goes wrong.

    chaos.py GG CHECK_STORE FOLDER SEED ROUNDS

The graph is made of small and large files, folders, tails and steps that fail
by chance, and is the same for the same seed.  It lives in four places: on the
disk, on a tmpfs of 80 MB, on the file system of faulty.py, and on a file system
of the kernel's on the disk of disk.c.  Each round does one thing of SAID to a gg
that forces it.  After that no process or mount may be left, each object must be
what its name says, and what had been made real in the project must be known
still.  Now and then, and at the end, an undisturbed gg must go on to what the
script gives by itself.  Prints TAP.
"""
import ctypes
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid

from disk import HOME, Disk, kinds_here
from graph import MODELS, SCRIPTS, hash_of, is_real, random_script

PR_SET_CHILD_SUBREAPER = 36
LEASE_S = 2
FAKETIME = os.environ["FAKETIME_LIBRARY"]
DISK = os.environ.get("DISK_PROGRAM")   # where loop devices can be had
BOOT_ID = "/proc/sys/kernel/random/boot_id"

class Wrong(Exception):
    pass


class Place:
    """One project, and what it should hold."""

    def __init__(self, chaos, name, root):
        self.chaos, self.name, self.root = chaos, name, root
        self.content, self.n_contents, self.is_dirty = "", 0, False
        self.is_done = False    # a force ended well: all is known, whatever comes

    def begin(self):
        os.makedirs(self.root)
        self.chaos.gg(self, "init", must=True)
        self.write("gg.models", MODELS)
        self.write("run.sh", self.chaos.script)
        for name, text in SCRIPTS.items():
            self.write(name + ".sh", text)

    def write(self, name, text):
        with open(os.path.join(self.root, name), "w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        folder = os.open(self.root, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def renew(self):
        """Other content, so that all is to be done."""
        if self.name in ("small", "cut") and self.n_contents:
            self.chaos.gg(self, "gc", must=True)
        self.n_contents += 1
        self.content = f"{self.chaos.seed} {self.name} {self.n_contents}\n"
        self.write("seed", self.content)
        self.is_dirty, self.is_done = True, False
        self.chaos.gg(self, "infer", "sh", "run.sh", must=True)

    def real(self):
        return {o: hash_of(os.path.join(self.root, o)) for o in self.chaos.outs
                if is_real(os.path.join(self.root, o))}


class Chaos:
    def __init__(self, gg, check_store, folder, seed):
        self.gg_path, self.check_store, self.folder, self.seed = gg, check_store, folder, seed
        self.rng = random.Random(seed)
        self.script, self.outs = random_script(self.rng)
        self.booted_s, self.typical_s, self.faulty = 0, 1.0, None
        self.expected = {}
        self.helpers = set()
        self.log = os.path.join(folder, "log")
        roots = {"disk": "disk", "small": "small", "faulty": "faulty"}
        self.disk = None
        if "power_cut" in DEEDS:
            kind = self.rng.choice(kinds_here())
            self.disk = Disk(DISK, folder, os.environ.get("DISK_KIND", kind), self.rng)
            roots["cut"] = "fs"
        self.places = {n: Place(self, n, os.path.join(folder, r, "p")) for n, r in roots.items()}

    # Starting and ending.

    def spawn(self, place, args, env=None):
        words = [self.gg_path, *args]
        if place.name == "cut":
            # As after a real cut, the kernel says that it was started anew.
            words = ["unshare", "-m", "-T", "--boottime", str(-self.booted_s), "sh", "-c",
                     f'mount --bind "$0" {BOOT_ID} && exec "$@"', self.folder + "/boot", *words]
        with open(self.log, "ab") as log:
            return subprocess.Popen(words, cwd=place.root, stdout=log, stderr=log,
                                    stdin=subprocess.DEVNULL, start_new_session=True,
                                    env={**os.environ, **(env or {})})

    def gg(self, place, *args, must=False, env=None, limit_s=120):
        p = self.spawn(place, args, env)
        try:
            rc = p.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
            raise Wrong(f"gg {' '.join(args)} hung on {place.name}: {self.said()}") from None
        if must and rc != 0:
            raise Wrong(f"gg {' '.join(args)} ended with {rc} on {place.name}: {self.said()}")
        return rc

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()[-1500:]

    def mount_faulty(self):
        state, at = self.folder + "/state", self.folder + "/faulty"
        os.makedirs(state, exist_ok=True)
        os.makedirs(at, exist_ok=True)
        with open(self.folder + "/faulty.log", "ab") as log:
            self.faulty = subprocess.Popen(
                [sys.executable, os.path.join(os.path.dirname(__file__), "faulty.py"), state, at,
                 str(self.rng.random()), HOME], stdout=log, stderr=log)
        self.helpers.add(self.faulty.pid)
        for _ in range(200):
            if os.path.ismount(at):
                return
            time.sleep(0.05)
        raise Wrong("the faulty file system did not come up")

    def unmount_faulty(self):
        if not self.faulty:
            return
        for _ in range(100):
            if subprocess.run(["umount", self.folder + "/faulty"], check=False,
                              stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.1)
        try:
            self.faulty.wait(30)
        except subprocess.TimeoutExpired:
            subprocess.run(["umount", "-l", self.folder + "/faulty"], check=False)
            self.faulty.kill()
            self.faulty.wait()
        self.faulty = None

    def open(self):
        os.makedirs(self.folder + "/small")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "gg-chaos",
                        self.folder + "/small"], check=True)
        self.mount_faulty()
        if self.disk:
            self.disk.open()
            self.helpers.add(self.disk.server.pid)
            self.boot()
        for place in self.places.values():
            place.begin()

    def boot(self):
        self.booted_s = math.ceil(uptime())
        time.sleep(self.booted_s - uptime() + 0.01)
        with open(self.folder + "/boot", "w", encoding="ascii") as f:
            print(uuid.UUID(int=self.rng.getrandbits(128)), file=f)

    def close(self):
        if self.disk:
            self.disk.close()
        self.unmount_faulty()
        subprocess.run(["umount", self.folder + "/small"], check=False)

    # What must hold.

    def left_over(self):
        """What descends from here besides helpers; orphans do too, by the prctl."""
        out = []
        for pid in descendants(os.getpid()):
            if pid in self.helpers:
                continue
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read()
            except OSError:
                continue
            if os.path.exists(f"/proc/{pid}/exe"):
                out.append(f"{pid} {words.decode(errors='replace')!r}")
        return out

    def none_left(self):
        until = time.monotonic() + 15
        while left := self.left_over():
            if time.monotonic() > until:
                raise Wrong("processes are left: " + "; ".join(left))
            time.sleep(0.05)
        with open("/proc/mounts", encoding="utf-8") as f:
            mounts = [m.split()[1] for m in f]
        extra = [m for m in mounts if m.startswith(self.folder + "/") and
                 m[len(self.folder) + 1:] not in ("small", "faulty", "raw", "fs")]
        if extra:
            raise Wrong("mounts are left: " + " ".join(extra))

    def store_is_right(self, place):
        p = subprocess.run([self.check_store, place.root + "/.gg"], capture_output=True,
                           text=True, check=False)
        if p.returncode != 0:
            raise Wrong(f"the store on {place.name}: {p.stdout[-1500:]}{p.stderr[-500:]}")

    def expect(self, content):
        """What the script gives by itself, in a folder of its own."""
        if content in self.expected:
            return self.expected[content]
        clean = self.folder + "/clean"
        shutil.rmtree(clean, ignore_errors=True)
        os.makedirs(clean)
        for name, text in {**{n + ".sh": t for n, t in SCRIPTS.items()}, "run.sh": self.script,
                           "seed": content}.items():
            with open(f"{clean}/{name}", "w", encoding="utf-8") as f:
                f.write(text)
        subprocess.run(["sh", "run.sh"], cwd=clean, check=True,
                       env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        self.expected[content] = {o: hash_of(f"{clean}/{o}") for o in self.outs}
        return self.expected[content]

    def is_as_expected(self, place, got, of_all):
        want = self.expect(place.content)
        for o in self.outs:
            if o not in got:
                if of_all:
                    raise Wrong(f"{o} on {place.name} is not real after a force that went well")
            elif got[o] != want[o]:
                raise Wrong(f"{o} on {place.name} holds {got[o]}, not {want[o]}")

    def nothing_lost(self, place, got):
        """What had been made real is known: removed, it comes back without a run."""
        for o in got:
            path = os.path.join(place.root, o)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.unlink(path)
        self.gg(place, "infer", "--fresh", "sh", "run.sh", must=True)
        now = place.real()
        lost = [o for o in got if o not in now]
        if lost:
            raise Wrong(f"results of {' '.join(lost)} on {place.name} are lost")

    def nothing_temporary(self, place):
        bad = [os.path.join(d, n) for d, ds, fs in os.walk(place.root) for n in ds + fs
               if n.startswith(".gg-")]
        if os.path.isdir(place.root + "/.gg/work"):
            bad += [".gg/work/" + n for n in os.listdir(place.root + "/.gg/work")]
        if bad:
            raise Wrong(f"temporary files on {place.name}: {' '.join(bad)}")

    def settle(self, place):
        """An undisturbed gg goes on, to the right end."""
        begun = time.monotonic()
        self.gg(place, "force", "-j3", "--retries=30", must=True)
        self.typical_s = 0.5 * self.typical_s + 0.5 * (time.monotonic() - begun)
        self.is_as_expected(place, place.real(), True)
        # Where writing the note of it failed too, it is for gc.
        if place.name == "faulty":
            self.gg(place, "gc", must=True)
        self.nothing_temporary(place)
        place.is_dirty, place.is_done = False, True

    # What goes wrong.

    def a_while(self, most=1.0):
        time.sleep(self.rng.random() * min(most * self.typical_s, 3.0))

    def begin_force(self, place, env=None, retries=30):
        return self.spawn(place, ["force", "-j3", f"--retries={retries}"], env)

    def end(self, p, limit_s=90):
        try:
            return p.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
            raise Wrong("a disturbed force hung: " + self.said()) from None

    def kill_gg(self):
        place = self.ready("disk")
        p = self.begin_force(place)
        self.a_while()
        p.kill()
        self.end(p)
        return place

    def kill_cell(self):
        place = self.ready("disk")
        p = self.begin_force(place)
        for _ in range(self.rng.randint(1, 4)):
            self.a_while(0.3)
            below = descendants(p.pid)
            if below:
                try:
                    os.kill(self.rng.choice(below), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.end(p)
        return place

    def stop_gg(self):
        place = self.ready("disk")
        p = self.begin_force(place)
        self.a_while(0.8)
        p.send_signal(signal.SIGSTOP)
        time.sleep(LEASE_S + 1)
        p.send_signal(signal.SIGCONT)
        if self.end(p) != 0:
            raise Wrong("a gg that stood still for a while failed: " + self.said())
        return place

    def with_workers(self, deed, patience="5s"):
        """Two workers by hand; deed is done to (the force, one of them)."""
        place = self.ready("disk")
        ticket = self.folder + "/ticket"
        p = self.spawn(place, ["force", "--retries=30", "--engine",
                               f"connect:unix={self.folder}/s,ticket={ticket},lease={LEASE_S}s"])
        workers = []
        for _ in range(200):
            if os.path.exists(ticket) or p.poll() is not None:
                break
            time.sleep(0.05)
        if os.path.exists(ticket):
            workers = [self.spawn(place, ["worker", "--connect", ticket, "-j2",
                                          f"--patience={patience}",
                                          f"--dir={self.folder}/worker{i}"]) for i in (0, 1)]
            self.a_while(1.5)
            deed(p, workers[0])
        try:
            if self.end(p) not in (0, -signal.SIGKILL):
                raise Wrong("a force over workers failed: " + self.said())
        finally:
            for w in workers:
                self.end(w, 60)
        for path in (ticket, self.folder + "/s"):
            if os.path.exists(path):
                if p.returncode == 0:
                    raise Wrong(path + " is left")
                os.unlink(path)
        return place

    def kill_worker(self):
        return self.with_workers(lambda gg, worker: worker.kill())

    def stop_worker(self):
        return self.with_workers(lambda gg, worker: stand_still(worker, LEASE_S + 1.5))

    def stop_dispatcher(self):
        # None of them gives it up, however slow the machine is.
        return self.with_workers(lambda gg, worker: stand_still(gg, LEASE_S + 1.5), "20s")

    def kill_dispatcher(self):
        return self.with_workers(lambda gg, worker: gg.kill())

    def full_disk(self):
        place = self.ready("small")
        os.makedirs(self.folder + "/small/tmp", exist_ok=True)
        # While it is full every step fails, each time after a longer while.
        p = self.begin_force(place, {"TMPDIR": self.folder + "/small/tmp"}, 3)
        self.a_while()
        filler = self.folder + "/small/filler"
        fill(filler)
        self.a_while(0.5)
        # In the end it has run out of room, unless it was done before.
        if self.rng.random() < 0.5:
            self.end(p)
        os.unlink(filler)
        self.end(p)
        return place

    def io_errors(self):
        place = self.ready("faulty")
        p = self.begin_force(place)
        self.a_while()
        touch(self.folder + "/state/eio")
        self.a_while(0.3)
        os.unlink(self.folder + "/state/eio")
        self.end(p)
        return place

    def power_cut(self):
        """At some write of an infer or a force, or between them."""
        place, deed = self.places["cut"], self.rng.choice(["infer", "force", "force", "nothing"])
        if deed == "infer" or not place.n_contents:
            place.renew()
        elif deed == "force":
            self.ready("cut")
        elif place.is_dirty and self.rng.random() < 0.7:
            self.settle(place)
        p = self.spawn(place, {"infer": ["infer", "--fresh", "sh", "run.sh"],
                               "force": ["force", "-j3", "--retries=30"],
                               "nothing": ["status"]}[deed])
        if deed != "nothing":
            self.a_while()
            self.some_is_written_back(place)
        self.disk.cut(self.rng.choice([0, self.rng.randint(1, 100)]))
        if self.rng.random() < 0.5:
            self.a_while(0.3)
            p.kill()
        is_done = self.end(p) == 0 and deed == "force"
        place.is_done = place.is_done or is_done
        self.disk.cut(0)
        self.none_left()
        self.disk.back()
        self.boot()
        return place

    def some_is_written_back(self, place):
        """By the kernel, whenever it likes."""
        for o in self.rng.sample(self.outs, 5):
            path = os.path.join(place.root, o)
            if os.path.isfile(path):
                fd = os.open(path, os.O_RDONLY)
                os.fdatasync(fd)
                os.close(fd)

    def after_cut(self, place):
        """What a person would type next; nothing says to him what was lost."""
        self.store_is_right(place)
        if place.is_done and self.rng.random() < 0.5:
            self.nothing_lost(place, self.outs)
        if self.rng.random() < 0.5:
            self.gg(place, "force", "-j3", "--retries=30")
        self.gg(place, "infer", "sh", "run.sh", must=True)
        place.is_dirty = True
        self.settle(place)

    def clock_jumps(self):
        place = self.ready("disk")
        clock = self.folder + "/clock"
        with open(clock, "w", encoding="ascii") as f:
            f.write("+0\n")
        p = self.begin_force(place, {
            "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"})
        for jump in self.rng.sample(["-3d", "+400d", "-20y", "+2h", "+0"], 3):
            self.a_while(0.4)
            with open(clock + ".new", "w", encoding="ascii") as f:
                f.write(jump + "\n")
            os.rename(clock + ".new", clock)
        if self.end(p) != 0:
            raise Wrong("a force failed while the clock jumped: " + self.said())
        return place

    def ready(self, name):
        place = self.places[name]
        if not place.is_dirty:
            place.renew()
        return place

    # Rounds.

    def round(self, deed):
        with open(self.log, "wb"):
            pass
        place = getattr(self, deed)()
        self.none_left()
        if deed == "power_cut":
            self.after_cut(place)
        self.store_is_right(place)
        got = place.real()
        self.is_as_expected(place, got, False)
        if self.rng.random() < 0.5:
            self.nothing_lost(place, got)
        if self.rng.random() < 0.6:
            self.settle(place)

    def finish(self):
        for place in self.places.values():
            if not place.n_contents:
                place.renew()
            self.settle(place)
            self.none_left()
            self.store_is_right(place)
            self.gg(place, "gc", must=True)
            self.nothing_lost(place, place.real())
            self.store_is_right(place)


DEEDS = ["kill_gg", "kill_cell", "kill_worker", "kill_dispatcher", "stop_gg", "stop_worker",
         "stop_dispatcher", "full_disk", "io_errors", "clock_jumps"]
if DISK:
    DEEDS.append("power_cut")
if os.environ.get("DEEDS"):
    DEEDS = os.environ["DEEDS"].split()
SAID = {
    "kill_gg": "gg is killed", "kill_cell": "steps are killed", "kill_worker": "a worker is killed",
    "kill_dispatcher": "gg is killed while workers work for it",
    "stop_gg": "gg stands still", "stop_worker": "a worker stands still beyond its lease",
    "stop_dispatcher": "gg stands still beyond the lease of its workers",
    "full_disk": "the disk is full for a while", "io_errors": "the disk gives EIO for a while",
    "power_cut": "the power is cut, and what was not synced may be gone",
    "clock_jumps": "the clock jumps by hours, years and back",
}


def uptime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def stand_still(process, seconds):
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


def descendants(pid):
    below, out = {}, []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/stat", encoding="ascii", errors="replace") as f:
                below.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(p))
        except OSError:
            pass
    todo = [pid]
    while todo:
        found = below.get(todo.pop(), [])
        out += found
        todo += found
    return out


def touch(path):
    with open(path, "w", encoding="ascii"):
        pass


def fill(path):
    with open(path, "wb", buffering=0) as f:
        try:
            for size in (1 << 20, 1 << 12):
                try:
                    while f.write(b"\0" * size):
                        pass
                except OSError:
                    pass
        finally:
            os.fsync(f.fileno())


def main():
    gg, check_store, folder, seed, rounds = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    chaos = Chaos(gg, check_store, folder, int(seed))
    bad, n, order = {}, dict.fromkeys(DEEDS, 0), []
    try:
        chaos.open()
        for i in range(int(rounds)):
            order = order or chaos.rng.sample(DEEDS, len(DEEDS))
            deed = order.pop()
            n[deed] += 1
            try:
                chaos.round(deed)
            except (Wrong, OSError, subprocess.SubprocessError) as e:
                bad.setdefault(deed, f"seed {seed}, round {i}: {e!r}")
                print(f"# {deed}: seed {seed}, round {i}: {e}", flush=True)
        try:
            chaos.finish()
        except (Wrong, OSError, subprocess.SubprocessError) as e:
            bad["end"] = f"seed {seed}: {e}"
    finally:
        try:
            chaos.close()
        except (OSError, subprocess.SubprocessError) as e:
            bad.setdefault("end", f"seed {seed}: {e}")
    told = [(f"{SAID[d]} ({n[d]} times): nothing is wrong, lost or left", d) for d in DEEDS if n[d]]
    told.append((f"after {rounds} rounds of seed {seed} all is as by the script itself, and known",
                 "end"))
    for i, (promise, deed) in enumerate(told):
        print(f"{'not ok' if deed in bad else 'ok'} {i + 1} - {promise}")
        if deed in bad:
            print("\n".join("#   " + line for line in bad[deed].splitlines()))
    print(f"1..{len(told)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
