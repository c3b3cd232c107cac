/* help_models.c - the notation of gg.models, for gg help models and its page */
#include <string.h>
#include "help.h"

const struct notation notation[] = {
	{ NULL, "A model is a pattern at the begin of a line, with its properties in indented "
	  "lines below. What follows a # that begins a word is a comment; a backslash at the "
	  "end continues a line; quotes are as in a shell, $'a\\nb' too. Hand-written models are "
	  "tried in order, then learned ones, then the built-in ones (compilers and binutils)." },
	{ NULL, "    python3 train.py --data=@in --seed=@ -o,--out=@out [--resume=@in]\n"
		"    \talso\tcommon.py folds/{seed}.csv\n"
		"    \tmem\t2G\n"
		"    \tresume\t{out}.ckpt --resume {out}.ckpt" },
	{ "WORDS OF A PATTERN", NULL },
	{ "program", "the first word: compared by base name; a version may follow (python3 is "
	  "python3.11 too). With a slash it is a path from the project's root." },
	{ "script.py", "after an interpreter: the script, which is read; -m MODULE and -c 'CODE' "
	  "likewise" },
	{ "@in  @out  @", "a file read, a file written, any other value" },
	{ "@in/  @out/", "a directory read, a directory written" },
	{ "@in...", "none or more; one such word a pattern" },
	{ "[@in]", "may be absent" },
	{ "--flag, -f", "an option without a value" },
	{ "-d,--data=@in", "an option with one, and its other names" },
	{ "--files=@in...", "values up to the next option" },
	{ "key=@in", "as hydra and dd take them" },
	{ "@in,", "one value that is several paths: a,b,c" },
	{ "@=0  @out=m.npz", "what the program takes when it is absent" },
	{ "[--out=@out]", "an output option that may be absent" },
	{ "...", "whatever else is there names no file" },
	{ "PROPERTIES", NULL },
	{ "also PATH...", "read besides; a / at the end says directory; globs are expanded" },
	{ "optional PATH...", "the same, if it is there" },
	{ "makes PATH...", "written besides" },
	{ "updates PATH...", "added to or changed in place: read if it is there, and written" },
	{ "uses NAME...", "files of the system: packages, or absolute paths; they become the "
	  "step's closure, and it then runs wherever that closure is" },
	{ "env NAME...", "variables that shape the output; NAME* is allowed" },
	{ "cpus N, gpus N", "what it needs; fractions too" },
	{ "gpus 1-4", "from one to four, as --policy fleet shares them out (1 otherwise): what it "
	  "writes must not depend on how many" },
	{ "mem 2G", "memory it needs" },
	{ "disk 10G", "what it writes while it runs, outputs and /tmp: so much is kept free for "
	  "it. A step that writes more is not stopped, but may meet a full disk" },
	{ "time 90s", "its time limit: s m h d" },
	{ "priority N", "-1000 to 1000, higher is sooner" },
	{ "resume PATH [WORD...]", "told to end (SIGTERM) it writes its checkpoint to PATH and "
	  "exits with 75; with the WORDs behind its own it goes on from there. So it can end "
	  "early, at a time limit, at Ctrl-C or for a more urgent step (--preempt), and go on "
	  "here or elsewhere; its result and the step's name are those of one run. PATH is its "
	  "own file, an output, or with a / at the end a folder" },
	{ "state WORD...", "below resume: words that every run of it gets as well, so that it "
	  "writes a checkpoint, as --state {out}.ckpt" },
	{ "network yes", "it needs the network" },
	{ "aside OPTION...", "options of the pattern that change nothing that is written, such as "
	  "--threads: no part of the step's name, and it is run with them all the same" },
	{ "fuse WORD...", "how several of these commands that are ready at once are "
	  "given to one process: --rate=, takes their values with commas between, --seed=,0 the "
	  "same where 0 is what an absent one means, --out={} a path in which {} is the command's "
	  "number from 0, --members={n} how many they are, --keep={stop} where the process leaves "
	  "what each goes on from (resume), and a command with !--state is left "
	  "alone. All else has to be the same, and so have the bytes that each one writes to be "
	  "those that it writes alone; gg force --no-fuse does without" },
	{ "lists yes", "@FILE stands for the lines of FILE" },
	{ "shortening no", "long options are not shortened" },
	{ "never", "run it for real, always" },
	{ NULL, "In PATH, {seed} is the value of --seed, {1} the first positional, {script} the "
	  "script, {root} the project's root, {$NAME} a variable of the environment; {seed:03} is "
	  "a number with zeros before it; {out:stem}, {out:dir} and {out:base} are parts of "
	  "a value. Options match in every spelling of getopt. What a pattern does not explain, "
	  "it does not match: the command then runs for real, and gg infer --explain says why." },
	{ NULL, NULL }
};
