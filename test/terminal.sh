#!/bin/bash
# terminal.sh - gg on a real terminal: Ctrl-C by the keyboard, the status line, its width
. "$(dirname "$0")/lib.sh"
[ -x /usr/bin/python3 ] || skip 'needs python3'
own_gg

# keyboard WHEN KEYS COMMAND...: run it on a terminal of 80 columns of its own, type
# KEYS once the shell command WHEN ends with 0, and end as it ends; what it shows is
# in .tty.
cat >"$work/keyboard.py" <<'END'
import fcntl, os, pty, select, struct, subprocess, sys, termios, time

when, keys, command = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, tty = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 25, 80, 0, 0))
    os.execvp(command[0], command)
typed, log = 0, open(os.environ['TTY_LOG'], 'wb', 0)
keys = [bytes([ord(k)]) for k in keys.replace('^C', '\x03')]
while True:
    if select.select([tty], [], [], 0.05)[0]:
        try:
            part = os.read(tty, 65536)
        except OSError:
            break
        if not part:
            break
        log.write(part)
    if keys and (time.monotonic() - typed > 0.3 if typed else
                 subprocess.call(when, shell=True, stdout=subprocess.DEVNULL) == 0):
        os.write(tty, keys.pop(0))
        typed = time.monotonic()
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
END
export TTY_LOG=$work/.tty TERM=xterm

# typed STATUS WHEN KEYS COMMAND...
typed()
{
	local want=$1 rc

	shift
	timeout 300 /usr/bin/python3 "$work/keyboard.py" "$@"
	rc=$?
	[ "$rc" = "$want" ] && return
	echo "ended with $rc"
	tr '\r' '\n' <"$work/.tty" | tail -5
	return 1
}

project keys
cat >gg.models <<'END'
sh short.sh @in @out
sh long.sh @in @out
END
echo 'sleep 0.2; cp "$1" "$2"' >short.sh
long=1001.$$
echo "sleep $long # ${work##*/}" >long.sh
runs="pgrep -f '^sleep $long\$'"
shows() { echo "grep -aqE '$1' $TTY_LOG"; }
echo one >a
"$GG" infer sh -c 'sh short.sh a f1; sh long.sh a f2' >/dev/null
check "Ctrl-C at the keyboard ends a force" typed 1 "$runs && grep one f1" '^C' "$GG" force -j2 f1 f2
check "it says so once" test "$(tr '\r' '\n' <"$work/.tty" | grep -c 'stopping:')" = 1
check "what had finished is kept" test "$(cat f1)" = one
check "no process is left" none_left
check "nothing half done either" nothing_temporary
check "twice: at once" typed 1 "$runs" '^C^C' "$GG" force f2
check "Ctrl-C ends a script that only waits" typed 1 "pgrep -f '^sleep 1000.$$\$'" '^C' "$GG" run --fresh sh -c "sleep 1000.$$; : ${work##*/}"
check "no process is left" none_left
check "and the store is right" store_is_right
check "the status line says what runs" typed 1 "$(shows "long.sh a f2")" '^C' "$GG" force f2
check "with the command in it" grep -aq 'long.sh a f2' "$work/.tty"
no_wider() { tr '\r' '\n' <"$work/.tty" | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | grep -aq '.\{81\}' && return 1; return 0; }
echo "sleep 1004.$$ # ${work##*/}" >long2.sh
echo 'sh long2.sh @in @out' >>gg.models
"$GG" infer sh -c 'sh long2.sh a f3' >/dev/null
check "when two run for a while" typed 1 "$(shows "1 s  sh long.sh a f2") && $(shows "1 s  sh long2.sh a f3") && $(shows "\[2A")" \
	'^C' "$GG" force -j2 f2 f3
check "each has a line" sh -c 'tr "\r" "\n" <"$1" | grep -aqE "^ +1 s  sh long.sh a f2" && tr "\r" "\n" <"$1" | grep -aqE "^ +1 s  sh long2.sh a f3"' - "$work/.tty"
check "that is taken away again" grep -aq "$(printf '\033\[2A')" "$work/.tty"
check "and is no wider than the terminal" no_wider

# ---- where there is no terminal
project log
printf 'sh step.sh @in @out\n' >gg.models
echo 'sleep 1.6; cp "$1" "$2"' >step.sh
for i in 1 2 3 4 5; do echo $i >in$i; echo "sh step.sh in$i out$i" >>all.sh; done
"$GG" infer sh all.sh >/dev/null 2>&1 && "$GG" force out1 >/dev/null 2>&1 && rm out1
GG_STATUS=1s "$GG" force -j1 out1 out2 out3 out4 out5 >plain.log 2>&1
check "where there is no terminal a line says now and then how far it is" \
	grep -qE '^gg: \[[1-4]/5\] 1 running, [1-3] waiting, 1 cached' plain.log
check "and how fast" grep -qE '^gg: .* running.*, [0-9.]+/(s|min)' plain.log
check "without anything that only a terminal takes" sh -c '! grep -q "$(printf "[\r\033]")" plain.log'
echo 6 >in5 && "$GG" infer sh all.sh >/dev/null 2>&1
GG_STATUS=1s "$GG" force -q >quiet.log 2>&1
check "--quiet leaves it away" sh -c 'grep -q "^forced 1," quiet.log && ! grep -q running quiet.log'
GG_STATUS=often "$GG" force >odd.log 2>&1
check "a GG_STATUS that is no time is told" grep -q '^gg: GG_STATUS=often: write it as 30s' odd.log
plan
