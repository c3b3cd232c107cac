/* cmd_show.c - gg show, cat and log: look at one thing */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "gg.h"
#include "live.h"
#include "shown.h"

static const char *const kind_names[] = { "value", "exec", "tree", "thunk" };

static void print_bytes(struct bytes b)
{
	fwrite(b.p, 1, b.n, stdout);
}

static void print_lines(struct ctx *c, struct bytes text)
{
	char *line, *rest = arena_strn(&c->arena, text.p, text.n);

	while ((line = strsep(&rest, "\n")) && (*line || rest))
		printf("%s\n", shown(&c->arena, line));
}

static int show_thunk(struct ctx *c, const struct named *n, struct bytes text,
		      struct err *e)
{
	struct checkpoint k;
	struct observation o;
	struct result r;
	struct hints h = { 0 };

	printf("# thunk %s\n", id_hex(&n->id).s);
	print_lines(c, text);
	if (store_get_result(c->store, &n->id, &c->arena, &r, e) == 0) {
		printf("# result\n");
		for (size_t i = 0; i < r.n; i++)
			printf("%s %s %s\n", kind_names[r.v[i].ref.kind],
			       id_hex(&r.v[i].ref.id).s,
			       shown(&c->arena, r.v[i].name));
	} else if (e->code == ERR_MISSING) {
		printf("# no result yet\n");
	} else {
		return -1;
	}
	if (hints_get(c->store, &n->id, &c->arena, &h, e) == 0)
		printf("# hints: cpus %g, gpus %g, mem %llu, disk %llu, time %g s, priority %d\n",
		       h.cpus, h.gpus, (unsigned long long)h.mem_bytes,
		       (unsigned long long)h.disk_bytes, h.time_s, h.priority);
	for (size_t i = 0; i < h.n_aside; i++)
		printf("%s %s%s", i ? "" : "# aside:", shown(&c->arena, h.aside[i]),
		       i + 1 < h.n_aside ? "" : "\n");
	if (checkpoint_get(c->store, &n->id, &k, e) == 0)
		printf("# ended early %u times, after %.2f s in all; goes on from %s\n",
		       k.n_stops, k.seconds, id_hex(&k.ref.id).s);
	if (observation_get(c->store, &n->id, &o, e) == 0) {
		char date[40];
		time_t t = (time_t)o.date_s;
		struct tm tm;

		strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
		if (strcmp(o.place, PLACE_OF_SCRIPT) == 0)
			printf("# ran %s: %.2f s, by the script itself\n", date, o.seconds);
		else
			printf("# ran %s: %.2f s, %.2f s of cpu, %llu MiB at most, status %d\n",
			       date, o.seconds, o.cpu_seconds,
			       (unsigned long long)(o.max_rss_bytes >> 20), o.code);
		if (o.place[0])
			printf("# on %s: %llu bytes in, %llu out, %.2f s of waiting, $%.6f\n",
			       shown(&c->arena, o.place), (unsigned long long)o.in_bytes,
			       (unsigned long long)o.out_bytes, o.waited_s, o.dollars);
	}
	return 0;
}

static json_t *json_of_thunk(struct ctx *c, const struct named *n, struct bytes text)
{
	json_t *o = json_pack("{s:s s:o}", "thunk", id_hex(&n->id).s, "text",
			      json_text(text));
	json_t *outs = json_object();
	struct observation ob;
	struct result r;
	struct err e;

	if (store_get_result(c->store, &n->id, &c->arena, &r, &e) == 0) {
		for (size_t i = 0; i < r.n; i++) {
			json_t *name = json_name(r.v[i].name);

			json_object_set_new(outs, json_string_value(name),
					    json_pack("{s:s s:s}", "kind",
						      kind_names[r.v[i].ref.kind], "id",
						      id_hex(&r.v[i].ref.id).s));
			json_decref(name);
		}
		json_object_set(o, "result", outs);
	}
	json_decref(outs);
	if (observation_get(c->store, &n->id, &ob, &e) == 0)
		json_object_set_new(o, "observation",
				    json_pack("{s:I s:f s:f s:I s:i s:o s:I s:I s:f s:f}", "date",
					      (json_int_t)ob.date_s, "seconds", ob.seconds,
					      "cpu_seconds", ob.cpu_seconds,
					      "max_rss_bytes",
					      (json_int_t)ob.max_rss_bytes, "status",
					      ob.code, "place", json_text(bytes_str(ob.place)),
					      "in_bytes", (json_int_t)ob.in_bytes, "out_bytes",
					      (json_int_t)ob.out_bytes, "waited_s", ob.waited_s,
					      "dollars", ob.dollars));
	return o;
}

int cmd_show(struct ctx *c, int argc, char **argv, struct err *e)
{
	for (int i = 0; i < argc; i++) {
		struct named n;
		struct bytes text;

		if (name_find(c, argv[i], &n, e) < 0)
			return -1;
		if (store_get(c->store, &n.id, &c->arena, &text, e) < 0)
			return e->code != ERR_MISSING ? -1 :
			       err_set(e, ERR_MISSING, "%s: its %s, %.12s, is gone from the "
				       "store; run gg infer again", argv[i],
				       n.is_thunk ? "thunk" : "value", id_hex(&n.id).s);
		if (c->o.json && n.is_thunk) {
			json_t *o = json_of_thunk(c, &n, text);

			json_dumpf(o, stdout, JSON_INDENT(1));
			putchar('\n');
			json_decref(o);
		} else if (n.is_thunk) {
			if (show_thunk(c, &n, text, e) < 0)
				return -1;
		} else {
			print_bytes(text);
		}
	}
	return EXIT_FINE;
}

static const char *only_output(struct ctx *c, const struct named *n, struct err *e)
{
	struct bytes text;
	struct thunk t;

	if (n->out)
		return n->out;
	if (store_get(c->store, &n->id, &c->arena, &text, e) < 0 ||
	    thunk_decode(text, &c->arena, &t, e) < 0)
		return NULL;
	if (t.n_out == 1)
		return t.out[0].name;
	err_set(e, ERR_USAGE, "thunk %.12s has %zu outputs: name the path of one",
		id_hex(&n->id).s, t.n_out);
	return NULL;
}

struct cat {
	struct drive d;
	struct err e;                   /* why it was not made */
};

static void cat_done(void *arg, const struct err *e)
{
	struct cat *cat = arg;

	cat->d.is_idle = true;
	if (e)
		cat->e = *e;
}

/* Make the output known, and say what it is.  1 if its thunk failed, which has
 * been told. */
static int force_output(struct ctx *c, const struct named *n, const char *out,
			struct ref *ref, struct err *e)
{
	struct cat cat = { 0 };
	struct drive *d = &cat.d;
	struct want w = { .thunk = n->id, .out = out, .done = cat_done, .arg = &cat };
	struct result r;
	const struct ref *found;

	drive_begin(d, c);
	if (exec_want(c->exec, &w, e) < 0)
		return -1;
	loop_run(c->loop, &d->is_idle);
	drive_quit(d);
	exec_free(c->exec);
	c->exec = NULL;
	*e = cat.e;
	if (e->code)
		return e->code == ERR_FAILED ? 1 : -1;
	if (store_get_result(c->store, &n->id, &c->arena, &r, e) < 0)
		return -1;
	found = result_output(&r, out);
	if (!found)
		return err_set(e, ERR_BAD, "thunk %.12s gave no output %s",
			       id_hex(&n->id).s, out);
	*ref = *found;
	return 0;
}

static int cat_file(struct ctx *c, const char *path, struct err *e)
{
	struct bytes b;

	if (file_read(c->project.root_fd, path, SIZE_MAX, &c->arena, &b, e) < 0)
		return -1;
	print_bytes(b);
	return 0;
}

int cmd_cat(struct ctx *c, int argc, char **argv, struct err *e)
{
	for (int i = 0; i < argc; i++) {
		struct ref ref = { 0 };
		struct named n;
		struct bytes b;
		const char *out;

		if (name_find(c, argv[i], &n, e) < 0) {
			bool inside;
			const char *p = project_path(&c->project, &c->arena, c->cwd,
						     argv[i], &inside);

			if (e->code != ERR_USAGE || !inside ||
			    faccessat(c->project.root_fd, p, R_OK, 0) < 0)
				return -1;
			if (cat_file(c, p, e) < 0)
				return -1;
			continue;
		}
		ref.id = n.id;
		if (n.is_thunk) {
			int rc;

			if (!(out = only_output(c, &n, e)))
				return -1;
			rc = force_output(c, &n, out, &ref, e);
			if (rc)
				return rc < 0 ? -1 : EXIT_THUNK;
		}
		if (store_get(c->store, &ref.id, &c->arena, &b, e) < 0)
			return -1;
		print_bytes(b);
	}
	return EXIT_FINE;
}

static int say_unforced(struct ctx *c, const struct named *n, const char *word, struct err *e)
{
	struct result r;

	if (store_get_result(c->store, &n->id, &c->arena, &r, e) < 0)
		return err_set(e, ERR_USAGE, "%s has not run here yet", word);
	return err_set(e, ERR_USAGE, "%s was not forced here, so nothing that it printed is kept: "
		       "a command that runs for real prints where its script does", word);
}

static int print_log(struct ctx *c, const struct named *n, const char *word, struct err *e)
{
	struct observation o;
	struct bytes b;

	if (observation_get(c->store, &n->id, &o, e) < 0)
		return e->code == ERR_MISSING ? say_unforced(c, n, word, e) : -1;
	if (strcmp(o.place, PLACE_OF_SCRIPT) == 0)
		return say_unforced(c, n, word, e);
	if (id_is_zero(&o.log))
		return 0;
	if (store_get(c->store, &o.log, &c->arena, &b, e) < 0)
		return -1;
	print_bytes(b);
	return 0;
}

int cmd_log(struct ctx *c, int argc, char **argv, struct err *e)
{
	int status = EXIT_FINE, rc;

	for (int i = 0; i < argc; i++) {
		struct named n;
		bool is_running = false;

		if (name_find(c, argv[i], &n, e) < 0)
			return -1;
		rc = c->o.follow ? live_follow(c, &n.id, &is_running, e) : 0;
		if (rc >= 0 && !is_running)
			rc = print_log(c, &n, argv[i], e);
		if (rc < 0)
			return -1;
		status = rc > status ? rc : status;
	}
	return status;
}
