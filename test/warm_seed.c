/* warm_seed.c - for whole-program tests: an engine that has seen when work comes
 *
 *     warm_seed .gg ENGINE SECONDS TIMES
 *
 * Notes TIMES arrivals of work, each after so long without any, as runs of before
 * would have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "warm.h"

int main(int argc, char **argv)
{
	double now = (double)time(NULL), idle_s;
	struct store *s;
	struct warm w;
	struct err e;

	if (argc != 5)
		return 2;
	idle_s = strtod(argv[3], NULL);
	warm_init(&w, &(struct warm_opts){ 0 });
	for (long i = strtol(argv[4], NULL, 10); i > 0; i--)
		warm_note(&w, now - (double)i * idle_s, idle_s);
	if (store_open(argv[1], 0, &s, &e) < 0 || warm_save(&w, s, argv[2], &e) < 0 ||
	    store_close(s, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	return 0;
}
