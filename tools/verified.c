/* verified.c - what gg verify tells, and the copies it keeps */
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "guess.h"
#include "shown.h"
#include "verify.h"

static const char *const names[VERDICT_COUNT] = {
	[VERDICT_OPEN] = "open", [VERDICT_SAME] = "same", [VERDICT_DIFFERS] = "differs",
	[VERDICT_FAILED] = "failed",
};

/* ---- copies */

static int keep_output(struct check *k, const struct result_out *o, const char *dir,
		       struct err *e)
{
	struct verify *v = k->v;
	const struct output *out = thunk_output(&k->thunk, o->name);
	const struct ref *values[] = { result_output(&k->first, o->name), &o->ref };
	static const char *const sides[] = { "a", "b" };

	for (int i = 0; i < 2; i++) {
		const char *path = arena_printf(&v->arena, "%s/%s/%s", dir, sides[i],
						out ? out->path : o->name);

		if (!values[i])
			continue;
		if (dir_make_above(AT_FDCWD, path, e) < 0 ||
		    compare_keep(v->d.c->store, values[i], path, e) < 0)
			return -1;
	}
	return 0;
}

void verify_keep(struct check *k)
{
	struct verify *v = k->v;
	const char *dir = arena_printf(&v->arena, "%s/verify/%.12s", v->d.c->project.store_dir,
				       id_hex(&k->id).s);
	struct difference ignored;
	struct err e = { .code = ERR_NONE };
	int rc = dir_remove(AT_FDCWD, dir, &e);

	for (size_t i = 0; rc == 0 && i < k->other.n; i++) {
		const struct result_out *o = &k->other.v[i];
		const struct ref *x = result_output(&k->first, o->name);

		if (!x || compare_values(v->d.c->store, x, &o->ref, &v->arena, &ignored,
					 &e) != 0)
			rc = keep_output(k, o, dir, &e);
	}
	if (rc == 0)
		k->kept_at = dir;
	else
		note("the two values cannot be kept to look at: %s", e.text);
}

/* ---- lines */

static const char *cause(const struct check *k)
{
	const struct difference *d = &k->diff;

	return d->what ? NULL : guess_cause(d->bytes[0], d->bytes[1], d->offset,
					    (int64_t)time(NULL));
}

/* "output model (out/model.pt): log.txt differs at byte 12 of 40" */
static void describe(const struct check *k, struct buf *b)
{
	const struct difference *d = &k->diff;
	const struct output *out = thunk_output(&k->thunk, k->output->name);

	buf_printf(b, "output %s", k->output->name);
	if (out && strcmp(out->path, k->output->name) != 0)
		buf_printf(b, " (%s)", out->path);
	buf_printf(b, "%s%s ", *d->file ? ": " : "", d->file);
	if (d->what) {
		buf_str(b, d->what);
		return;
	}
	buf_printf(b, "differs at byte %llu", (unsigned long long)d->offset);
	if (d->sizes[0] == d->sizes[1])
		buf_printf(b, " of %llu", (unsigned long long)d->sizes[0]);
	else
		buf_printf(b, ", and %llu bytes are %llu", (unsigned long long)d->sizes[0],
			   (unsigned long long)d->sizes[1]);
}

void verify_tell(const struct check *k)
{
	const struct ctx *c = k->v->d.c;
	struct arena a = { 0 };
	struct buf b = { 0 };

	if (c->o.json || (c->o.quiet && k->verdict == VERDICT_SAME))
		return;
	printf("%-8s %s\n", names[k->verdict], shown(&a, k->label));
	if (k->verdict == VERDICT_FAILED)
		note("%s", k->text);
	if (k->verdict == VERDICT_DIFFERS) {
		describe(k, &b);
		printf("         %s\n", shown(&a, b.p));
		if (cause(k))
			printf("         this looks like %s\n", cause(k));
		if (k->made_on && k->ran_on && strcmp(k->made_on, k->ran_on) != 0)
			printf("         the first was made on %s, the other on %s\n", k->made_on,
			       k->ran_on);
		if (k->kept_at)
			printf("         both are kept: %s/a%s and b\n", shown(&a, k->kept_at),
			       k->has_kept ? " (as the store has it)" : "");
	}
	fflush(stdout);
	buf_release(&b);
	arena_release(&a);
}

static void count(const struct verify *v, size_t n[VERDICT_COUNT])
{
	for (const struct check *k = v->checks; k; k = k->next)
		n[k->verdict]++;
}

void verify_draw(struct verify *v)
{
	size_t n[VERDICT_COUNT] = { 0 };
	const struct check *k = v->checks;
	struct arena a = { 0 };

	if (v->d.c->o.quiet || v->d.c->o.json || !isatty(2))
		return;
	count(v, n);
	while (k && (k->verdict != VERDICT_OPEN || !k->n_begun))
		k = k->next;
	fprintf(stderr, "\r\033[K[%zu/%zu] %u running%s%.60s", v->n_checks - n[VERDICT_OPEN],
		v->n_checks, v->n_running, k ? ": " : "", k ? shown(&a, k->label) : "");
	fflush(stderr);
	v->is_drawn = true;
	arena_release(&a);
}

void verify_clear(struct verify *v)
{
	if (v->is_drawn)
		fputs("\r\033[K", stderr);
	v->is_drawn = false;
}

/* ---- the end */

static json_t *json_difference(const struct check *k)
{
	const struct difference *d = &k->diff;
	json_t *o = json_object();

	json_object_set_new(o, "output", json_name(k->output->name));
	if (*d->file)
		json_object_set_new(o, "file", json_name(d->file));
	if (d->what) {
		json_object_set_new(o, "what", json_name(d->what));
	} else {
		json_object_set_new(o, "offset", json_integer((json_int_t)d->offset));
		json_object_set_new(o, "sizes", json_pack("[I,I]", (json_int_t)d->sizes[0],
							  (json_int_t)d->sizes[1]));
	}
	if (cause(k))
		json_object_set_new(o, "guess", json_string(cause(k)));
	if (k->kept_at)
		json_object_set_new(o, "kept", json_name(k->kept_at));
	return o;
}

static void print_json(const struct verify *v, const size_t n[VERDICT_COUNT])
{
	json_t *all = json_array(), *o;

	for (const struct check *k = v->checks; k; k = k->next) {
		o = json_pack("{s:s s:o s:s s:i s:b}", "thunk", id_hex(&k->id).s, "command",
			      json_name(k->label), "verdict", names[k->verdict], "results",
			      (int)k->n_results, "compared_with_kept", k->has_kept);
		if (k->made_on)
			json_object_set_new(o, "made_on", json_string(k->made_on));
		if (k->ran_on)
			json_object_set_new(o, "ran_on", json_string(k->ran_on));
		if (k->verdict == VERDICT_DIFFERS)
			json_object_set_new(o, "difference", json_difference(k));
		if (k->verdict == VERDICT_FAILED)
			json_object_set_new(o, "why", json_name(k->text));
		json_array_append_new(all, o);
	}
	o = json_pack("{s:o s:I s:I s:I s:b}", "thunks", all, "same",
		      (json_int_t)n[VERDICT_SAME], "differ", (json_int_t)n[VERDICT_DIFFERS],
		      "failed", (json_int_t)n[VERDICT_FAILED], "interrupted",
		      v->d.n_interrupts > 0);
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

int verify_summary(struct verify *v)
{
	size_t n[VERDICT_COUNT] = { 0 };
	double seconds = (double)(loop_now_ms(v->d.c->loop) - v->d.begun_ms) / 1e3;

	count(v, n);
	if (v->d.c->o.json)
		print_json(v, n);
	else
		printf("same %zu, differ %zu, failed %zu, %.1f s\n", n[VERDICT_SAME],
		       n[VERDICT_DIFFERS], n[VERDICT_FAILED], seconds);
	return n[VERDICT_SAME] == v->n_checks ? EXIT_FINE : EXIT_THUNK;
}
