/* cmd_models.c - gg models: where each came from, and how often it held */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "file.h"
#include "gg.h"
#include "shown.h"

struct listing {
	struct ctx *c;
	char **shapes;                  /* those wanted; none: all */
	int n_shapes;
	json_t *rows;
	struct buf text;                /* for gg.models */
	size_t n_written;
};

static bool is_wanted(const struct listing *l, const char *shape)
{
	for (int i = 0; i < l->n_shapes; i++)
		if (strcmp(l->shapes[i], shape) == 0)
			return true;
	return l->n_shapes == 0;
}

/* ---- list */

static void show_given(struct listing *l, const struct model_info *m)
{
	struct arena a = { 0 };

	if (l->rows)
		json_array_append_new(l->rows, json_pack("{s:o s:o}", "from",
			json_name(m->rule), "pattern", json_name(m->pattern)));
	else
		printf("%-20s  %s\n", shown(&a, m->rule), shown(&a, m->pattern));
	arena_release(&a);
}

static void show_learned(const struct learned *m)
{
	struct arena a = { 0 };
	const char *text = arena_strn(&a, m->text.p, m->text.n), *end;

	if (m->never) {
		printf("%-20s  %s\n\truns for real: %s\n", "learned", shown(&a, m->shape),
		       shown(&a, m->never));
		arena_release(&a);
		return;
	}
	printf("%-20s  %s\n\tfrom %zu run%s; held %llu, asked for more %llu\n", "learned",
	       shown(&a, m->shape), m->n, m->n == 1 ? "" : "s",
	       (unsigned long long)m->n_held, (unsigned long long)m->n_failed);
	for (; *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		printf("\t%.*s\n", (int)(end - text), text);
	}
	arena_release(&a);
}

static int list_learned(void *arg, const struct learned *m)
{
	struct listing *l = arg;
	json_t *row;

	if (!is_wanted(l, m->shape))
		return 0;
	if (!l->rows) {
		show_learned(m);
		return 0;
	}
	row = json_pack("{s:s s:o s:I s:I s:I}", "from", "learned", "shape",
			json_name(m->shape), "runs", (json_int_t)m->n, "held",
			(json_int_t)m->n_held, "failed", (json_int_t)m->n_failed);
	if (m->never)
		json_object_set_new(row, "never", json_name(m->never));
	else
		json_object_set_new(row, "text", json_text(m->text));
	json_array_append_new(l->rows, row);
	return 0;
}

static int list_all(struct listing *l, struct err *e)
{
	struct model_info m;
	size_t pos = 0, own = 0;
	int rc;

	if (l->c->o.json)
		l->rows = json_array();
	while (!l->n_shapes && models_each(l->c->models, &own, &m))
		show_given(l, &m);
	rc = learned_each(l->c->store, list_learned, l, e);
	while (!l->n_shapes && models_each_builtin(&pos, &m))
		show_given(l, &m);
	if (l->rows && rc == 0) {
		json_dumpf(l->rows, stdout, JSON_COMPACT);
		putchar('\n');
	}
	json_decref(l->rows);
	return rc;
}

/* ---- write */

static bool is_given(const struct listing *l, const char *pattern)
{
	struct model_info m;
	size_t pos = 0;

	while (models_each(l->c->models, &pos, &m))
		if (strcmp(m.pattern, pattern) == 0)
			return true;
	return false;
}

/* The end of the rule at text: where the next pattern begins. */
static const char *rule_end(const char *text)
{
	for (;;) {
		text += strcspn(text, "\n");
		if (!*text)
			return text;
		text++;
		if (*text && !strchr(" \t#\n", *text))
			return text;
	}
}

/* The rules of a text that gg.models does not have already. */
static void add_rules(struct listing *l, const struct learned *m)
{
	const char *text = arena_strn(&l->c->arena, m->text.p, m->text.n), *end;
	struct model_info info;
	struct models *own;
	size_t pos = 0;
	struct err e;

	if (models_new(m->text, "learned", &own, &e) < 0)
		return;
	while (*text && strchr(" \t#\n", *text))
		text += strcspn(text, "\n") + 1;
	for (; models_each(own, &pos, &info) && *text; text = end) {
		end = rule_end(text);
		if (is_given(l, info.pattern))
			continue;
		buf_printf(&l->text, "\n# learned from %zu run%s of %s\n", m->n,
			   m->n == 1 ? "" : "s", shown(&l->c->arena, m->shape));
		buf_add(&l->text, text, (size_t)(end - text));
		if (end[-1] != '\n')
			buf_char(&l->text, '\n');
		l->n_written++;
	}
	models_free(own);
}

static int write_learned(void *arg, const struct learned *m)
{
	if (is_wanted(arg, m->shape) && !m->never && m->text.n)
		add_rules(arg, m);
	return 0;
}

static int write_all(struct listing *l, struct err *e)
{
	struct ctx *c = l->c;
	struct bytes old = c->models_text;
	struct stat st;
	mode_t mode = 0644;
	int rc = 0;

	if (fstatat(c->project.root_fd, MODELS_FILE, &st, 0) == 0)
		mode = st.st_mode & 07777;
	buf_add(&l->text, old.p ? old.p : "", old.n);
	if (old.n && old.p[old.n - 1] != '\n')
		buf_char(&l->text, '\n');
	if (learned_each(c->store, write_learned, l, e) < 0)
		return -1;
	if (l->n_written)
		rc = file_write(c->project.root_fd, MODELS_FILE, buf_bytes(&l->text), mode,
				FILE_SYNC, e);
	if (rc == 0)
		printf("%s: %zu model%s added\n", MODELS_FILE, l->n_written,
		       l->n_written == 1 ? "" : "s");
	return rc;
}

int cmd_models(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct listing l = { .c = c, .shapes = argv, .n_shapes = argc };
	struct learned m;
	int rc;

	for (int i = 0; i < argc; i++)
		if (learned_get(c->store, argv[i], &c->arena, &m, e) < 0)
			return e->code != ERR_MISSING ? -1 :
			       err_set(e, ERR_USAGE, "nothing was learned of \"%s\"; gg "
				       "models lists the shapes", argv[i]);
	if (c->o.forget) {
		if (learned_get(c->store, c->o.forget, &c->arena, &m, e) < 0)
			return e->code != ERR_MISSING ? -1 :
			       err_set(e, ERR_USAGE, "nothing was learned of \"%s\"",
				       c->o.forget);
		return learned_forget(c->store, c->o.forget, e) < 0 ? -1 : EXIT_FINE;
	}
	rc = c->o.writes ? write_all(&l, e) : list_all(&l, e);
	buf_release(&l.text);
	return rc < 0 ? -1 : EXIT_FINE;
}
