/* help_events.c - the events of a run, for gg help events and gg-events(5) */
#include <stddef.h>
#include "help.h"

const struct notation events[] = {
	{ NULL, "gg run, force and infer print these lines with --json, and keep them in "
	  ".gg/runs/RUN.jsonl, which grows while the run goes on; gg history RUN --json prints "
	  "them again. RUN is the UTC time of its begin and a number, such as "
	  "20261121-094412-4711. t is seconds since then. thunk, log and cause are names: gg "
	  "show and gg cat take them. Pass over events and members that you do not know." },
	{ "EVENTS", NULL },
	{ "run", "the first line: run, time (UTC), command (an array), engines (URIs), gg (1)" },
	{ "start", "a thunk began to run: t, thunk, label (its command line, shortened), engine, "
	  "slot (the lowest number that was free there), second (true: beside a run that takes "
	  "long), continued (true: from a checkpoint), with (the thunk in whose process and slot "
	  "it goes, as others do)" },
	{ "ran", "one run ended: t, thunk, engine, slot, place (the worker), status (ok, exited, "
	  "signaled, timed-out, out-of-memory, disk-full, lost-worker, stopped: early, to go "
	  "on, ...), code "
	  "(exit status or signal), "
	  "seconds, cpu (seconds), rss (bytes), waited (seconds in the place), cold (a new worker "
	  "was made for it), dollars, log, second, with (seconds and so on are its share "
	  "then). One that is not ok and not followed by failed "
	  "was started again" },
	{ "failed", "a thunk failed for good: t, thunk, label, text, cause (the thunk that itself "
	  "failed; others only need it)" },
	{ "notice", "of an engine or a remote: t, text" },
	{ "waits", "steps wait and an engine's workers do not come: t, text; an empty text: no "
	  "longer" },
	{ "progress", "with --json only, now and then: t, done, cached, running, waiting, failed, "
	  "left (seconds, a guess)" },
	{ "targets", "paths: an array of [path, thunk, output], all that was wanted" },
	{ "end", "the last line: t, forced, cached, remote (of the cached: known by remotes only), "
	  "failed, unrun, seconds, interrupted, retried, duplicated, stopped, fused (steps that "
	  "ran several in one process), companies (those processes), engines (an array of "
	  "engine, ran, seconds, dollars), predicted (its seconds, those it took, and guessed, "
	  "the share of that time that nothing had been seen of before), status (of gg). It is "
	  "missing when gg was killed" },
	{ "EXAMPLE", NULL },
	{ NULL, "    gg run --json ./run.sh | jq -r 'select(.event == \"failed\") | .text'" },
	{ "STATUS OF A RUN, AND WHAT FOLLOWS", NULL },
	{ "exited", "like signaled, timed-out and no-output the program's own failure: its thunk "
	  "fails, after --retries more runs. Here and below a second run is begun at once, "
	  "further ones after a pause that doubles" },
	{ "out-of-memory", "again with twice the memory, twice at most, where an engine has as "
	  "much" },
	{ "disk-full", "it failed, and where it writes no room was left: once more, elsewhere if "
	  "it can be" },
	{ "lost-worker", "who had it is gone (unreachable: its objects could not be moved): three "
	  "times more, elsewhere if it can be" },
	{ "out-of-reach", "the place itself cannot be reached: nine times more" },
	{ "cell-failed", "the place failed (its disk, its memory): twice more, elsewhere if it "
	  "can be" },
	{ "throttled", "the place takes no more just now: it waits; that is no failure" },
	{ "lost-input", "an input is gone: its thunk makes it again first" },
	{ "undeclared", "like bad-output and wrote-input: its model says too little or too much. "
	  "gg run learns again what it has learned, and says what to add to one of gg.models" },
	{ "not-started", "no such program there, or no right to it: the thunk fails" },
	{ "stopped", "it goes on from its checkpoint, here or elsewhere" },
	{ 0 }
};
