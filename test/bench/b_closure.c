/* b_closure.c - the closure of paths on standard input
 *
 * b_closure uses [files] < PATHS      the uses, one on each line
 * b_closure make STORE < USES         the tree's name
 * b_closure check STORE ID            is all of it here?
 * b_closure files STORE ID            its files
 * b_closure lay STORE ID DIR          all of it, as a root in DIR
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lay_closure.h"

static int read_lines(struct arena *a, struct strs *out)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, stdin)) > 0)
		strs_add(out, arena_strn(a, line, (size_t)n - (line[n - 1] == '\n')));
	free(line);
	return 0;
}

static int print_file(void *arg, const char *path, const struct entry *v)
{
	(void)arg;
	if (v->kind == ENTRY_FILE || v->kind == ENTRY_EXEC)
		printf("/%s\n", path);
	return 0;
}

static int on_store(int argc, char **argv, struct arena *a, struct err *e)
{
	struct strs in = { 0 };
	struct store *s;
	struct id id;
	int rc = -1;

	if (store_open(argv[2], STORE_CREATE, &s, e) < 0)
		return -1;
	if (strcmp(argv[1], "make") == 0) {
		read_lines(a, &in);
		rc = closure_make(s, in.v, in.n, &id, e);
		if (rc == 0)
			printf("%s\n", id_hex(&id).s);
	} else if (argc > 4 && id_parse(bytes_str(argv[3]), &id)) {
		int fd = open(argv[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		rc = fd < 0 ? err_sys(e, "%s", argv[4]) : lay_closure(s, &id, fd, e);
		close(fd);
	} else if (argc > 3 && id_parse(bytes_str(argv[3]), &id)) {
		rc = strcmp(argv[1], "check") == 0 ? closure_check(s, &id, e)
			: closure_each(s, &id, print_file, NULL, e);
	} else {
		err_set(e, ERR_USAGE, "see the head of b_closure.c");
	}
	if (rc == 0)
		rc = store_flush(s, e);
	strs_release(&in);
	return store_close(s, rc == 0 ? e : &(struct err){ 0 }) < 0 ? -1 : rc;
}

int main(int argc, char **argv)
{
	struct strs in = { 0 }, out = { 0 };
	struct arena a = { 0 };
	struct err e = { 0 };
	int rc = 0;

	if (argc > 1 && strcmp(argv[1], "uses") == 0) {
		read_lines(&a, &in);
		rc = closure_uses(NULL, in.v, in.n, argc > 2 ? CLOSURE_FILES : CLOSURE_PACKAGE, &a,
				  &out, &e);
		for (size_t i = 0; i < out.n; i++)
			puts(out.v[i]);
	} else if (argc > 2) {
		rc = on_store(argc, argv, &a, &e);
	} else {
		rc = err_set(&e, ERR_USAGE, "see the head of b_closure.c");
	}
	if (rc < 0)
		fprintf(stderr, "b_closure: %s\n", e.text);
	strs_release(&in);
	strs_release(&out);
	arena_release(&a);
	return rc < 0;
}
