/* cmd_graph.c - gg graph: the thunks behind outputs, as DOT, SVG or JSON */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"
#include "lineage.h"
#include "shown.h"
#include "targets.h"

struct graph {
	struct ctx *c;
	struct lineage reached;
	json_t *nodes, *edges;
	struct buf dot;
};

static int reach(struct graph *g, const struct strs *paths, struct err *e)
{
	struct ref_record r;

	for (size_t i = 0; i < paths->n; i++) {
		if (ref_get(g->c->store, paths->v[i], &g->c->arena, &r, e) < 0)
			return -1;
		lineage_reach(&g->reached, &r.thunk);
	}
	return 0;
}

static void quote(struct buf *b, const char *s)
{
	buf_char(b, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_char(b, '\\');
		buf_char(b, (unsigned char)*s < 0x20 ? ' ' : *s);
	}
	buf_char(b, '"');
}

static int add_node(struct graph *g, const struct id *id, struct err *e)
{
	struct ctx *c = g->c;
	struct arena a = { 0 };
	struct bytes text;
	struct thunk t;
	struct result r;
	bool is_done = store_get_result(c->store, id, &a, &r, e) == 0;
	const char *label;
	int rc = store_get(c->store, id, &a, &text, e);

	if (rc == 0)
		rc = thunk_decode(text, &a, &t, e);
	if (rc < 0) {
		arena_release(&a);
		return err_wrap(e, "thunk %.12s", id_hex(id).s);
	}
	label = thunk_label(&t, &a, 60);
	buf_printf(&g->dot, "\t\"%.12s\" [label=", id_hex(id).s);
	quote(&g->dot, label);
	buf_printf(&g->dot, "%s];\n", is_done ? ", style=filled, fillcolor=lightgrey" : "");
	json_array_append_new(g->nodes, json_pack("{s:s s:o s:b}", "thunk", id_hex(id).s,
						  "label", json_text(bytes_str(label)),
						  "done", is_done));
	for (size_t i = 0; i < t.n_in; i++) {
		const struct input *in = &t.in[i];

		if (in->ref.kind != REF_THUNK)
			continue;
		lineage_reach(&g->reached, &in->ref.id);
		buf_printf(&g->dot, "\t\"%.12s\" -> \"%.12s\" [label=",
			   id_hex(&in->ref.id).s, id_hex(id).s);
		quote(&g->dot, shown(&a, path_base(in->path)));
		buf_str(&g->dot, "];\n");
		json_array_append_new(g->edges, json_pack("{s:s s:s s:o}", "from",
					id_hex(&in->ref.id).s, "to", id_hex(id).s,
					"path", json_name(in->path)));
	}
	arena_release(&a);
	return 0;
}

/* Let Graphviz draw what is in g->dot. */
static int draw(struct graph *g, const char *file, const char *format, struct err *e)
{
	char option[16];
	int in[2], status;
	pid_t pid;

	snprintf(option, sizeof option, "-T%s", format);
	if (pipe(in) < 0 || (pid = fork()) < 0)
		return err_sys(e, "cannot start dot");
	if (pid == 0) {
		dup2(in[0], 0);
		close(in[0]);
		close(in[1]);
		execlp("dot", "dot", option, "-o", file, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	signal(SIGPIPE, SIG_IGN);
	if (file_write_fd(in[1], g->dot.p, g->dot.n) < 0 && errno != EPIPE)
		note("writing to dot: %s", strerror(errno));
	close(in[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ERR_USAGE, "%s needs Graphviz: apt-get install graphviz, "
			       "or write a .dot file", file);
	if (status)
		return err_set(e, ERR_IO, "dot could not write %s", file);
	return 0;
}

static int write_out(struct graph *g, const char *file, struct err *e)
{
	const char *ending = file ? strrchr(file, '.') : NULL;
	bool as_json = g->c->o.json || (ending && strcmp(ending, ".json") == 0);
	struct bytes b = buf_bytes(&g->dot);
	char *json = NULL;
	int rc = 0;

	if (as_json) {
		json_t *o = json_pack("{s:O s:O}", "nodes", g->nodes, "edges", g->edges);

		json = json_dumps(o, JSON_INDENT(1));
		b = bytes_str(json);
		json_decref(o);
	}
	if (!file) {
		fwrite(b.p, 1, b.n, stdout);
		if (as_json)
			putchar('\n');
	} else if (ending && (strcmp(ending, ".svg") == 0 || strcmp(ending, ".png") == 0 ||
			      strcmp(ending, ".pdf") == 0)) {
		rc = draw(g, file, ending + 1, e);
	} else {
		rc = output_write(file, b, e);
	}
	free(json);
	return rc;
}

int cmd_graph(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct graph g = { .c = c, .nodes = json_array(), .edges = json_array() };
	struct strs paths = { 0 };
	int rc = outputs_find(c, argc, argv, &paths, e);

	if (rc == 0)
		rc = reach(&g, &paths, e);
	buf_str(&g.dot, "digraph gg {\n\trankdir=LR;\n"
		"\tnode [shape=box, fontname=\"Helvetica\"];\n");
	for (size_t i = 0; i < g.reached.n && rc == 0; i++) {
		struct id id = g.reached.v[i];  /* the list may move */

		rc = add_node(&g, &id, e);
	}
	buf_str(&g.dot, "}\n");
	if (rc == 0)
		rc = write_out(&g, c->o.output, e);
	json_decref(g.nodes);
	json_decref(g.edges);
	buf_release(&g.dot);
	lineage_release(&g.reached);
	strs_release(&paths);
	return rc < 0 ? -1 : EXIT_FINE;
}
