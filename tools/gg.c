/* gg.c - the command table */
#include "gg.h"

const struct program program = { .fallback = "help" };

enum { RUNS_SCRIPT = NEED_STORE | NEED_MODELS | NEED_EXEC | NEED_ARGS | TAKES_COMMAND |
	MAKES_STORE };

/* Options of all that forces, and of those that people leave running. */
#define FORCING "jobs engine remote retries timeout keep-going quiet verbose json"
#define RUNNING "hermetic locked trace policy metrics no-fuse preempt"

const struct verb verbs[] = {
	{ "init", cmd_init, 0, "", "[DIR]", "make an empty store",
	  "Makes .gg in DIR, or here: from then on DIR is a project, and gg "
	  "finds it from any folder below. gg run, infer and learn do so "
	  "themselves where there is no project." },
	{ "infer", cmd_infer, RUNS_SCRIPT,
	  "explain fresh " FORCING " learn no-learn closure", "COMMAND [ARG...]",
	  "run a script; its modelled commands become thunks",
	  "Runs COMMAND and all below it under a tracer. A command that a model "
	  "explains does not run: its outputs become placeholders. All others run "
	  "for real; what they read is made real first. When nothing that the "
	  "script saw has changed since the last time, it is not run at all. With "
	  "--learn the first command of each program that no model explains is "
	  "watched while it runs, and explains the others." },
	{ "force", cmd_force, NEED_STORE | NEED_EXEC, FORCING " " RUNNING " dry-run", "[PATH...]",
	  "make outputs real, running only what is needed",
	  "Each PATH is an output, or a folder with outputs in it; without any, "
	  "all placeholders of the project are meant. What two outputs share runs "
	  "once; a result that is known is not made again. With --hermetic a thunk "
	  "sees nothing of this machine but its closure, and one without a closure "
	  "is refused. The last line is "
	  "\"forced N, cached N, failed N, T s\"." },
	{ "run", cmd_run, RUNS_SCRIPT,
	  "explain fresh " FORCING " " RUNNING " no-learn closure", "COMMAND [ARG...]",
	  "infer, then force what it left to do",
	  "As gg infer, and then gg force of all that became a placeholder. Of each "
	  "program that no model explains the first command is watched while it "
	  "runs for real; what it did explains the others, which become thunks. When a "
	  "step fails by its own doing, the script is run again from what it found at "
	  "first, and there the step fails: `||`, `if`, $? and set -e work. What it had "
	  "written by then is at its outputs if it ran on this machine; else nothing is. "
	  "What runs for real runs again as well. Exit status 1 when the script failed, or a step "
	  "did and the script does not answer to that (set -e, ||, if, $?). gg infer and then gg "
	  "plan say what would run." },
	{ "learn", cmd_learn, RUNS_SCRIPT,
	  "closure", "[--] COMMAND [ARG...]", "run one command, and say what it does to which file",
	  "Runs COMMAND for real, prints the model that explains it and its like, "
	  "and keeps its result as if it had been forced. Where it cannot be a "
	  "thunk, the reason is printed. Ends with its exit status." },
	{ "models", cmd_models, NEED_STORE | NEED_MODELS, "json write forget", "[SHAPE...]",
	  "list models: written by hand, built in, learned",
	  "Of a learned one also how many steps it was right for, and how many "
	  "asked for more. gg.models is for people: what stands there wins." },
	{ "plan", cmd_plan, NEED_STORE | NEED_EXEC,
	  "jobs engine remote timeout hermetic json policy", "[PATH...]",
	  "say what forcing would run, and what it would take",
	  "How many thunks would run and how many are known; for each --engine and for 1, "
	  "2, 4, ... cpus of it the time, how busy they are, and dollars; the critical "
	  "path by name. Times are what steps of the same shape took before, by the "
	  "size of what they read where that matters; a shape never seen counts for a "
	  "second, and is told of. The order is that of the real scheduler. Prices are in "
	  "gg.prices, lines like \"slurm * cpu-hour 0.04\"." },
	{ "status", cmd_status, NEED_STORE, "json", "[PATH...]",
	  "say which outputs are placeholder, real or stale",
	  "An output is stale when a file that its thunk read has changed since: "
	  "run the script again. Edited means that something else than gg wrote it. "
	  "In all JSON of gg a byte of a name that is no UTF-8 is written \\xHH, and "
	  "a backslash \\x5c." },
	{ "show", cmd_show, NEED_STORE | NEED_ARGS, "json", "PATH|ID...",
	  "print a thunk, its result and what running it took",
	  "IDs may be shortened to any unique beginning of four or more digits." },
	{ "cat", cmd_cat, NEED_STORE | NEED_EXEC | NEED_ARGS,
	  "jobs engine remote retries timeout quiet verbose", "PATH|ID...",
	  "print the content of an output, forcing it first",
	  "An ID may be that of an object, or of a thunk with one output." },
	{ "log", cmd_log, NEED_STORE | NEED_ARGS, "follow", "PATH|ID...",
	  "print what the thunk printed when it last ran",
	  "With -f, while another gg runs it or is going to, what it prints from now on, until "
	  "it has ended: as it comes where it runs on this machine (a program may itself hold "
	  "back what it prints), at its end where it runs elsewhere. A line between -- says "
	  "that it is started again, and that what stands above no longer counts. Exit status "
	  "1 when it fails." },
	{ "why", cmd_why, NEED_STORE | NEED_ARGS, "jobs engine json", "PATH...",
	  "say what changed since the last result, or what a path waits for",
	  "Compares the thunk that stands at PATH with the one whose result stood "
	  "there before: arguments, environment, inputs, programs. What follows "
	  "from a change further up is told once, at its source. Of a placeholder "
	  "it says first what it waits for: which steps behind it could start, "
	  "failed the last time, or need more than the engines have. Nothing runs." },
	{ "graph", cmd_graph, NEED_STORE, "output:graph json", "[PATH...]",
	  "write the graph of thunks, as DOT, SVG or JSON",
	  "Without -o as DOT on standard output, or with --json as JSON. SVG and PNG need "
	  "Graphviz." },
	{ "verify", cmd_verify, NEED_STORE | NEED_EXEC,
	  "jobs engine quiet verbose all runs hermetic json sample", "[PATH|ID...]",
	  "run thunks again, and say where what they give differs",
	  "A folder means all outputs in it. Each thunk runs past all that is kept, and its "
	  "outputs are compared with the kept result, or, when there is none, with those "
	  "of a second run. "
	  "Nothing kept is replaced. The first output that differs is told of, with "
	  "the file in it and the byte, and both values are kept in .gg/verify. "
	  "What the difference looks like is guessed at: a time, an order, rounding. "
	  "--all without PATH means every output that gg knows. --sample 0.1 takes a "
	  "tenth of the thunks behind each PATH, at random, one at least. With --engine "
	  "they run there; of several on another than the one that the kept result is "
	  "from, where that can be. Exit status 1 when one differs or fails." },
	{ "lock", cmd_lock, NEED_STORE, "quiet", "[PATH...]",
	  "write gg.lock: what each output is, and which thunk makes it",
	  "The file is to be committed: gg run --locked and gg force --locked then fail, "
	  "with exit status 1, when a script makes an output by another thunk, or a thunk "
	  "gives other bytes, and say what has changed. With PATHs only their lines are "
	  "written anew." },
	{ "history", cmd_history, NEED_STORE, "json", "[RUN...]",
	  "list runs of before, or say what happened in one",
	  "RUN is a name as it is listed, or its beginning; last is the last one, last-1 "
	  "the one before. With --json RUN prints its journal, one event a line, as "
	  "gg run --json does while it happens." },
	{ "diff", cmd_diff, NEED_STORE | NEED_ARGS, "", "RUN RUN",
	  "say where the outputs of two runs part",
	  "For each output that two thunks made, what differs, followed up to its source "
	  "and told once. RUN is as in gg history. Exit status 1 when something differs." },
	{ "report", cmd_report, NEED_STORE, "output", "[RUN]",
	  "write what happened in a run as one page for a browser",
	  "RUN is as in gg history, else the last one. What is written, into report.html or "
	  "the FILE of -o (- is standard output): graph, timeline by slot, critical path, "
	  "failures with what they printed, cost by engine, learning curves of those that "
	  "wrote JSON by step, and all thunks in a table. The page needs no network and holds "
	  "all it shows; its address keeps what is looked at, as in "
	  "#filter=WORDS&state=failed&sort=-seconds." },
	{ "provenance", cmd_provenance, NEED_STORE | NEED_ARGS, "output json", "PATH...",
	  "print everything that led to an output's bytes",
	  "Or to those of all outputs in a folder: the steps with their commands, environment, "
	  "time and place, the files that no step made, and the packages of the closures. "
	  "With --json or -o FILE it is an in-toto statement of type SLSA provenance v1, whose "
	  "subjects are the files of the outputs." },
	{ "gc", cmd_gc, NEED_STORE | ALONE, "dry-run keep-runs grace:gc json", "",
	  "remove what nothing refers to any more",
	  "Kept is what placeholders, outputs that gg put in place, and the last "
	  "runs reach, and what those runs printed, for gg report. What is removed "
	  "and needed again is made again. Images that were made for the engine "
	  "container go when no project of yours has used them for --grace." },
	{ "image", cmd_image, NEED_STORE | NEED_ARGS,
	  "output quiet verbose json push tag compress tls-verify authfile ca-file", "PATH|ID...",
	  "write an image of all that outputs need, worker included",
	  "The closures of the thunks behind each PATH become an OCI image, without "
	  "a Dockerfile and without a daemon. The same closures give the same "
	  "image. What is heavy in them is a layer of its own, so that images "
	  "share it. The image runs gg worker, as a container or as a Lambda "
	  "function (which wants --compress=gzip); podman load -i FILE takes it. "
	  "For --push the user and password are those of podman login, of docker "
	  "login, or of GG_REGISTRY_USER and GG_REGISTRY_PASSWORD." },
	{ "push", cmd_push, NEED_STORE | NEED_REMOTES, "remote tls-verify", "[PATH...]",
	  "send results and what they hold to the remotes",
	  "Those of each PATH, or of the whole project, and of all steps behind them. "
	  "Results are signed with your key (gg key). What was pushed is kept there "
	  "until a later push of the whole project no longer names it." },
	{ "pull", cmd_pull, NEED_STORE | NEED_REMOTES, "remote quiet tls-verify", "[PATH...]",
	  "fetch outputs from the remotes, and run nothing",
	  "Each placeholder at PATH, or in the whole project, becomes real when a remote "
	  "knows its result and a key that is trusted has signed it." },
	{ "remote", cmd_remote, NEED_ARGS,
	  "remote dry-run grace forget:remote tls-verify", "list|check|gc",
	  "look after the remotes",
	  "check writes a probe, reads it back and removes it, and says in words what is "
	  "wrong. gc removes results, and then objects, that neither a push names (gg "
	  "push), nor a run of the last 30 days, nor the gg.lock of this project, but "
	  "nothing that is younger than --grace. It may run beside other jobs. With "
	  "--forget it no longer keeps what the project NAME has pushed and used; list "
	  "says which there are." },
	{ "key", cmd_key, NEED_ARGS, "project", "new|list|trust KEY [NAME]|distrust KEY",
	  "keys that sign results, and those that are trusted",
	  "Results that come from a remote count only when a key that is trusted has "
	  "signed them. new makes your own, in ~/.config/gg/key (GG_KEY names another "
	  "file), and prints the public half; trust takes that of somebody else into "
	  "~/.config/gg/trusted, or with --project into gg.keys of this project, which "
	  "may be committed." },
	WORKER_VERB,
	{ "lambda", cmd_lambda, NEED_ARGS,
	  "memory timeout:function disk:function role image worker arm region endpoint ca-file "
	  "tls-verify profile quiet json", "deploy NAME | list | remove NAME",
	  "make, list and remove functions of AWS Lambda",
	  "deploy makes the function NAME, or brings it up to date, from the static "
	  "worker (make worker) as a zip, or from an image that gg image has pushed, "
	  "and waits until it can be called. Several with different --memory make "
	  "sense: --engine lambda:function=A:1024M,function=B:1769M sends each step "
	  "to the one that is cheapest for it. Keys are looked for as AWS's own "
	  "tools do. list and remove touch only what gg has made." },
	{ "help", cmd_help, 0, "", "[COMMAND|models|engines|remotes|events]",
	  "print help", "Of a command as its --help does, else of a topic." },
	{ "cell", cmd_cell, HIDDEN | TAKES_COMMAND, "", "", "", "" },
	{ "_pack", cmd_pack, HIDDEN | TAKES_COMMAND, "", "", "", "" },
	{ "_man", cmd_man, HIDDEN, "", "DIR", "", "" },
	{ "_completion", cmd_completion, HIDDEN, "", "", "", "" },
	{ 0 }
};
