/* closure_thunk STORE OUT USE... -- ARG...: put a step into a store that runs
 * ARG... in the closure of the USEs (--tree DIR: what is in DIR instead), and
 * whose output OUT is what it prints.  Prints the step's name. */
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include "closure.h"

static int make(struct store *s, int argc, char **argv, struct err *e)
{
	struct output out = { .name = argv[2], .path = argv[2] };
	struct thunk t = { .out = &out, .n_out = 1, .std = { NULL, argv[2], NULL },
			   .runtime = RUNTIME_CLOSURE };
	struct buf b = { 0 };
	struct id id;
	int i = 3, rc;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	if (i == argc)
		return err_set(e, ERR_USAGE, "no -- among the arguments");
	t.args = (const char **)argv + i + 1;
	t.n_args = (size_t)(argc - i - 1);
	rc = strcmp(argv[3], "--tree") == 0
		? stat_tree(s, AT_FDCWD, argv[4], STAT_KEEP, NULL, &t.runtime_id, e)
		: closure_make(s, (const char *const *)argv + 3, (size_t)i - 3,
			       &t.runtime_id, e);
	if (rc == 0 && (rc = thunk_encode(&t, &b, e)) == 0 &&
	    (rc = store_put(s, buf_bytes(&b), &id, e)) == 0)
		printf("%s\n", id_hex(&id).s);
	buf_release(&b);
	return rc;
}

int main(int argc, char **argv)
{
	struct store *s;
	struct err e;

	if (argc < 6 || store_open(argv[1], 0, &s, &e) < 0)
		return 2;
	if (make(s, argc, argv, &e) < 0 || store_close(s, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	return 0;
}
