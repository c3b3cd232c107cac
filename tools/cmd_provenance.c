/* cmd_provenance.c - gg provenance: everything that led to an output's bytes
 *
 * For people, or as an in-toto statement with SLSA's provenance v1: the steps
 * (commands, environment, inputs, where and when each ran) are internal
 * parameters; files that no step made, closures and machines are resolved
 * dependencies; the output's files are the subjects.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "closure.h"
#include "gg.h"
#include "lineage.h"
#include "shown.h"
#include "targets.h"

#define BUILD_TYPE "urn:gg:thunk:1"
#define BUILDER "urn:gg:1"

struct provenance {
	struct ctx *c;
	struct lineage steps;
	struct map sources;             /* path and name of what no step made */
	struct map runtimes;            /* closures and machines, by name */
	json_t *json_steps, *json_sources, *subjects;
	int64_t first_s, last_s;        /* when steps began and ended; 0: unknown */
};

struct step {
	struct thunk t;
	struct observation o;           /* date_s 0: not known here */
};

static const char *date_of(struct arena *a, int64_t s)
{
	char text[40];
	time_t t = (time_t)s;
	struct tm tm;

	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
	return arena_str(a, text);
}

static json_t *digest(const struct id *id)
{
	return json_pack("{s:s}", "sha256", id_hex(id).s);
}

static bool is_new(struct map *m, struct arena *a, const char *key)
{
	if (map_get(m, bytes_str(key)))
		return false;
	*map_at(m, bytes_str(arena_str(a, key))) = m;
	return true;
}

/* ---- what no step made */

static void add_source(struct provenance *p, const struct input *in)
{
	struct arena *a = &p->c->arena;
	const char *id = arena_str(a, id_hex(&in->ref.id).s);

	if (!is_new(&p->sources, a, arena_printf(a, "%s %s", id, in->path)))
		return;
	if (p->c->o.json || p->c->o.output)
		json_array_append_new(p->json_sources, json_pack("{s:o s:o}", "name",
				json_name(in->path), "digest", digest(&in->ref.id)));
	else
		printf("input    %s%s  %s\n", shown(a, in->path),
		       in->ref.kind == REF_TREE ? "/" : "", id);
}

static void add_runtime(struct provenance *p, const struct thunk *t)
{
	static const char *const kinds[] = {
		[RUNTIME_HOST] = "host", [RUNTIME_CLOSURE] = "closure",
		[RUNTIME_IMAGE] = "image",
	};
	struct arena *a = &p->c->arena;
	const char *name = arena_printf(a, "%s %s", kinds[t->runtime],
					id_hex(&t->runtime_id).s);
	struct strs packages = { 0 };
	json_t *list = json_array();

	if (!is_new(&p->runtimes, a, name))
		goto out;
	if (t->runtime == RUNTIME_CLOSURE)
		closure_packages(p->c->store, &t->runtime_id, a, &packages);
	if (!p->c->o.json && !p->c->o.output)
		printf("runtime  %s\n", name);
	for (size_t i = 0; i < packages.n; i++)
		if (p->c->o.json || p->c->o.output)
			json_array_append_new(list, json_name(packages.v[i]));
		else
			printf("         %s\n", packages.v[i]);
	json_array_append_new(p->json_sources, json_pack("{s:s s:o s:{s:O}}", "name",
			kinds[t->runtime], "digest", digest(&t->runtime_id),
			"annotations", "packages", list));
out:
	json_decref(list);
	strs_release(&packages);
}

/* ---- one step */

static json_t *strings(const char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_name(v[i]));
	return list;
}

static json_t *json_inputs(const struct thunk *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n_in; i++) {
		const struct input *in = &t->in[i];
		json_t *o = json_pack("{s:o s:s}", "path", json_name(in->path),
				      in->ref.kind == REF_THUNK ? "thunk" : "sha256",
				      id_hex(&in->ref.id).s);

		if (in->ref.kind == REF_THUNK)
			json_object_set_new(o, "output", json_name(in->ref.out));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *json_outputs(struct provenance *p, const struct id *id, const struct thunk *t)
{
	json_t *list = json_array();
	struct result r = { 0 };
	struct err ignored;

	if (store_get_result(p->c->store, id, &p->c->arena, &r, &ignored) < 0)
		r.n = 0;
	for (size_t i = 0; i < t->n_out; i++) {
		const struct ref *ref = result_output(&r, t->out[i].name);
		json_t *o = json_pack("{s:o}", "path", json_name(t->out[i].path));

		if (ref && ref->kind != REF_THUNK)
			json_object_set_new(o, "sha256", json_string(id_hex(&ref->id).s));
		json_array_append_new(list, o);
	}
	return list;
}

static void put_step(struct provenance *p, const struct id *id, const struct step *s)
{
	json_t *o = json_pack("{s:s s:o s:o s:o s:o s:s s:s}", "thunk", id_hex(id).s,
			      "command", strings(s->t.args, s->t.n_args), "env",
			      strings(s->t.env, s->t.n_env), "inputs", json_inputs(&s->t),
			      "outputs", json_outputs(p, id, &s->t), "cwd",
			      s->t.cwd ? s->t.cwd : ".", "runtime",
			      id_hex(&s->t.runtime_id).s);

	if (s->o.date_s) {
		json_object_set_new(o, "finished",
				    json_string(date_of(&p->c->arena, s->o.date_s)));
		json_object_set_new(o, "seconds", json_real(s->o.seconds));
		json_object_set_new(o, "place", json_name(s->o.place[0] ? s->o.place : "local"));
	}
	json_array_append_new(p->json_steps, o);
}

static void print_step(struct provenance *p, const struct id *id, const struct step *s)
{
	struct arena *a = &p->c->arena;

	printf("step     %.12s  %s\n", id_hex(id).s, thunk_label(&s->t, a, 200));
	for (size_t i = 0; i < s->t.n_env; i++)
		printf("         env %s\n", shown(a, s->t.env[i]));
	if (s->o.date_s)
		printf("         ran %s, %.2f s, on %s\n", date_of(a, s->o.date_s),
		       s->o.seconds, s->o.place[0] ? s->o.place : "local");
}

static int add_step(struct provenance *p, const struct id *id, struct err *e)
{
	struct ctx *c = p->c;
	struct step s = { 0 };
	struct bytes text;
	struct err ignored;

	if (store_get(c->store, id, &c->arena, &text, e) < 0 ||
	    thunk_decode(text, &c->arena, &s.t, e) < 0)
		return err_wrap(e, "thunk %.12s", id_hex(id).s);
	if (observation_get(c->store, id, &s.o, &ignored) < 0)
		s.o = (struct observation){ 0 };
	if (s.o.date_s) {
		int64_t begun = s.o.date_s - (int64_t)s.o.seconds;

		p->last_s = s.o.date_s > p->last_s ? s.o.date_s : p->last_s;
		p->first_s = !p->first_s || begun < p->first_s ? begun : p->first_s;
	}
	if (c->o.json || c->o.output)
		put_step(p, id, &s);
	else
		print_step(p, id, &s);
	for (size_t i = 0; i < s.t.n_in; i++)
		if (s.t.in[i].ref.kind == REF_THUNK)
			lineage_reach(&p->steps, &s.t.in[i].ref.id);
		else
			add_source(p, &s.t.in[i]);
	add_runtime(p, &s.t);
	return 0;
}

/* ---- the output */

struct subjects {
	struct provenance *p;
	const char *root;
};

static int add_file(void *arg, const char *path, const struct entry *x)
{
	struct subjects *s = arg;
	struct arena *a = &s->p->c->arena;

	if (x->kind == ENTRY_TREE || x->kind == ENTRY_LINK)
		return 0;
	json_array_append_new(s->p->subjects, json_pack("{s:o s:o}", "name",
			json_name(arena_printf(a, "%s/%s", s->root, path)), "digest",
			digest(&x->id)));
	return 0;
}

/* The bytes it speaks of: each file of a folder. */
static int add_subjects(struct provenance *p, const char *path, const struct ref *value,
			struct err *e)
{
	struct subjects s = { p, path };

	if (!p->c->o.json && !p->c->o.output)
		printf("output   %s%s  %s\n", shown(&p->c->arena, path),
		       value->kind == REF_TREE ? "/" : "", id_hex(&value->id).s);
	else if (value->kind == REF_TREE)
		return closure_each(p->c->store, &value->id, add_file, &s, e);
	else
		json_array_append_new(p->subjects, json_pack("{s:o s:o}", "name",
				json_name(path), "digest", digest(&value->id)));
	return 0;
}

static json_t *statement(struct provenance *p, char **argv, int argc)
{
	json_t *o = json_pack(
		"{s:s s:O s:s s:{s:{s:s s:{s:o} s:{s:O} s:O} s:{s:{s:s s:{s:s}} s:{}}}}",
		"_type", "https://in-toto.io/Statement/v1", "subject", p->subjects,
		"predicateType", "https://slsa.dev/provenance/v1", "predicate",
		"buildDefinition", "buildType", BUILD_TYPE, "externalParameters", "targets",
		strings((const char *const *)argv, (size_t)argc), "internalParameters", "steps",
		p->json_steps, "resolvedDependencies", p->json_sources, "runDetails", "builder",
		"id", BUILDER, "version", "gg", "1", "metadata");
	json_t *when = json_object_get(json_object_get(json_object_get(o, "predicate"),
						       "runDetails"), "metadata");

	if (p->first_s) {
		json_object_set_new(when, "startedOn",
				    json_string(date_of(&p->c->arena, p->first_s)));
		json_object_set_new(when, "finishedOn",
				    json_string(date_of(&p->c->arena, p->last_s)));
	}
	return o;
}

static int write_statement(struct provenance *p, char **argv, int argc, struct err *e)
{
	json_t *o = statement(p, argv, argc);
	char *json = json_dumps(o, JSON_INDENT(1));
	const char *text = arena_printf(&p->c->arena, "%s\n", json);
	int rc = 0;

	if (p->c->o.output)
		rc = output_write(p->c->o.output, bytes_str(text), e);
	else
		fputs(text, stdout);
	free(json);
	json_decref(o);
	return rc;
}

static int add_output(struct provenance *p, const char *path, const struct placeholder *ph,
		      struct err *e)
{
	struct ctx *c = p->c;
	const struct ref *value;
	struct result r;

	if (store_get_result(c->store, &ph->thunk, &c->arena, &r, e) < 0)
		return e->code != ERR_MISSING ? -1 :
			err_set(e, ERR_USAGE, "%s is a placeholder still: gg force %s first",
				path, path);
	value = result_output(&r, ph->out);
	if (!value || value->kind == REF_THUNK)
		return err_set(e, ERR_BAD, "thunk %.12s gave no output %s",
			       id_hex(&ph->thunk).s, ph->out);
	lineage_reach(&p->steps, &ph->thunk);
	return add_subjects(p, path, value, e);
}

int cmd_provenance(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct provenance p = { .c = c, .json_steps = json_array(),
				.json_sources = json_array(), .subjects = json_array() };
	struct targets of = { 0 };
	int rc = targets_find(c, argc, argv, &of, e);

	for (size_t i = 0; i < of.n && rc == 0; i++)
		rc = add_output(&p, of.v[i].path, &of.v[i].ph, e);
	for (size_t i = 0; i < p.steps.n && rc == 0; i++) {
		struct id id = p.steps.v[i];    /* the list may move */

		rc = add_step(&p, &id, e);
	}
	if (rc == 0 && (c->o.json || c->o.output))
		rc = write_statement(&p, argv, argc, e);
	json_decref(p.json_steps);
	json_decref(p.json_sources);
	json_decref(p.subjects);
	free(of.v);
	lineage_release(&p.steps);
	map_release(&p.sources);
	map_release(&p.runtimes);
	return rc < 0 ? -1 : EXIT_FINE;
}
