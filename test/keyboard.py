"""A report is used in a real browser by its keyboard alone, as a screen reader names it.

    keyboard.py PAGE HOME

Chromium is spoken to by its DevTools protocol over two pipes.  Prints what does not hold,
and ends with 1 then.
"""
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

TABS_MOST, LIMIT_S = 80, 100
USED = {"button", "link", "textbox", "searchbox", "combobox", "image", "img", "application",
        "checkbox", "Canvas"}
KEYS = {"Tab": 9, "Enter": 13, "ArrowRight": 39, "ArrowDown": 40}
FOCUSED = """(() => { const a = document.activeElement; return a === document.body ? null :
    { tag: a.tagName, key: a.closest("th") ? a.closest("th").dataset.key : null,
      row: !!a.closest("tbody") } })()"""


def above(fd):
    """Out of the way of the two that the browser is given."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved


class Browser:
    def __init__(self, home):
        os.makedirs(home, exist_ok=True)
        reads, self.to = (above(fd) for fd in os.pipe())
        self.back, writes = (above(fd) for fd in os.pipe())
        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--user-data-dir=" + home, "--remote-debugging-pipe", "about:blank"],
            preexec_fn=lambda: (os.dup2(reads, 3), os.dup2(writes, 4)), close_fds=False,
            env={**os.environ, "TMPDIR": home}, stderr=subprocess.DEVNULL)
        os.close(reads)
        os.close(writes)
        self.n, self.rest, self.session = 0, b"", None

    def call(self, method, **params):
        self.n += 1
        message = {"id": self.n, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.back, 1 << 16)
                if not more:
                    raise SystemExit("the browser has gone")
                self.rest += more
            text, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == self.n:
                return answer.get("result", {})

    def open(self, page):
        target = self.call("Target.createTarget", url="file://" + os.path.abspath(page))
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"],
                                 flatten=True)["sessionId"]
        while not self.ask("""!!document.querySelector("[data-ms]")"""):
            time.sleep(0.05)

    def ask(self, script):
        """What it gives; None while a page is about to be another."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer.get("result", {}).get("value")

    def press(self, key):
        for kind in ("rawKeyDown", "char", "keyUp"):
            if kind != "char" or key == "Enter":
                self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                          windowsVirtualKeyCode=KEYS[key],
                          **({"text": "\r"} if kind == "char" else {}))

    def tab_to(self, is_there):
        """Press Tab until the element that has the focus is_there; or None."""
        for _ in range(TABS_MOST):
            self.press("Tab")
            at = self.ask(FOCUSED)
            if at and is_there(at):
                return at
        return None


def use(b):
    """A line for each thing that does not hold."""
    told = """document.getElementById("pick").textContent"""
    at, before = b.tab_to(lambda at: at["tag"] == "CANVAS"), b.ask(told)
    b.press("ArrowRight")
    b.press("ArrowDown")
    if not at or b.ask(told) == before:
        yield "arrow keys choose no thunk of the graph, or it is not told"
    if not b.tab_to(lambda at: at["tag"] == "INPUT"):
        yield "Tab does not reach what filters"
    at = b.tab_to(lambda at: at["key"] == "label")
    b.press("Enter")
    if not at or not b.ask("""document.querySelector('th[data-key="label"]').ariaSort"""):
        yield "Enter does not sort by a column, or it is not told"
    at = b.tab_to(lambda at: at["row"])
    b.press("Enter")
    if not at or not b.ask("""!!document.querySelector("tr[aria-current]")"""):
        yield "Enter chooses no row"
    used = [n for n in b.call("Accessibility.getFullAXTree")["nodes"]
            if not n.get("ignored") and n["role"]["value"] in USED]
    for n in used:
        if not n.get("name", {}).get("value"):
            yield f"a screen reader has no name for a {n['role']['value']}"
    if not used:
        yield "a screen reader finds nothing that can be used"


def too_slow(*_):
    raise SystemExit(f"not done after {LIMIT_S} s")


def main():
    page, home = sys.argv[1:]
    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(LIMIT_S)
    b = Browser(home)
    try:
        b.open(page)
        wrong = list(use(b))
    finally:
        b.process.kill()
        b.process.wait()
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
