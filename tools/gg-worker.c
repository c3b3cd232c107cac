/* gg-worker.c - the table of a program that is gg worker and nothing else
 *
 * Linked so that it needs nothing of the machine it runs on: make worker.
 */
#include "gg.h"

const struct program program = { .fallback = "worker", .has_one_verb = true };

const struct verb verbs[] = {
	WORKER_VERB,
	{ "help", cmd_help, 0, "", "[COMMAND|models|engines]", "print help", "" },
	{ "cell", cmd_cell, HIDDEN | TAKES_COMMAND, "", "", "", "" },
	{ 0 }
};
