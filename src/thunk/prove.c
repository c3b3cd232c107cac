/* prove.c - does a derived model say of each sighting what it did?
 *
 * The text is read and matched as any other, so that what is checked is what
 * will be used.  Writes must be exactly those that were seen.  Reads must hold
 * all that were seen; one too many is taken only where it may be absent.
 */
#include <string.h>
#include "file.h"
#include "learn_private.h"

struct proof {
	const struct view *v;
	const struct binding *b;
	struct arena *a;
	struct err *e;
};

static const char *bound_path(const struct proof *p, const char *path)
{
	return view_path(p->v, path, p->a);
}

/* Does one of the reads hold path? */
static bool is_read(const struct proof *p, const char *path)
{
	for (size_t i = 0; i < p->b->n_reads; i++) {
		const char *r = bound_path(p, p->b->reads[i].path);

		if (strcmp(r, path) == 0 || (p->b->reads[i].is_dir && path_is_below(r, path)))
			return true;
	}
	return false;
}

static const struct bound_write *written_at(const struct proof *p, const char *path)
{
	for (size_t i = 0; i < p->b->n_writes; i++) {
		const char *w = bound_path(p, p->b->writes[i].path);

		if (strcmp(w, path) == 0 ||
		    (p->b->writes[i].is_dir && path_is_below(w, path)))
			return &p->b->writes[i];
	}
	return NULL;
}

static bool is_update(const struct proof *p, const char *path)
{
	for (size_t i = 0; i < p->b->n_updates; i++)
		if (strcmp(bound_path(p, p->b->updates[i]), path) == 0)
			return true;
	return false;
}

/* What was seen is said. */
static int seen_is_said(const struct proof *p)
{
	for (size_t i = 0; i < p->v->n_facts; i++) {
		const struct fact *f = &p->v->facts[i];
		bool is_write = f->kind >= FACT_WRITE;

		if (f->kind == FACT_ABSENT)
			continue;
		if (!is_write && !is_read(p, f->path) && !written_at(p, f->path))
			return err_set(p->e, ERR_REFUSED, "it reads %s, which follows no rule",
				       f->path);
		if (f->kind == FACT_UPDATE ? !is_update(p, f->path)
					   : f->kind == FACT_WRITE && !written_at(p, f->path))
			return err_set(p->e, ERR_REFUSED, "it writes %s, which follows no rule",
				       f->path);
	}
	return 0;
}

/* Is anything at or below path read? */
static bool was_read(const struct proof *p, const char *path)
{
	for (size_t i = 0; i < p->v->n_facts; i++)
		if (path_is_below(path, p->v->facts[i].path) ||
		    (p->v->facts[i].kind == FACT_TREE &&
		     path_is_below(p->v->facts[i].path, path)))
			return true;
	return p->v->script_path && strcmp(p->v->script_path, path) == 0;
}

/* What is said was seen. */
static int said_is_seen(const struct proof *p)
{
	for (size_t i = 0; i < p->b->n_writes; i++) {
		const struct bound_write *w = &p->b->writes[i];
		const char *path = bound_path(p, w->path);
		const struct fact *f = fact_at(p->v, path);

		if (!f || f->kind < FACT_WRITE || (f->kind == FACT_MADE) != w->is_dir)
			return err_set(p->e, ERR_REFUSED, "it does not write %s each time", path);
	}
	for (size_t i = 0; i < p->b->n_reads; i++) {
		const struct bound_read *r = &p->b->reads[i];
		const char *path = bound_path(p, r->path);

		if (!r->is_optional && !r->is_glob && !was_read(p, path))
			return err_set(p->e, ERR_REFUSED, "it does not read %s each time", path);
	}
	return 0;
}

/* No folder that is read may hold what is written: before and after could not
 * be told apart. */
static int apart(const struct proof *p)
{
	for (size_t i = 0; i < p->b->n_reads; i++)
		for (size_t k = 0; k < p->b->n_writes; k++) {
			const char *r = bound_path(p, p->b->reads[i].path);
			const char *w = bound_path(p, p->b->writes[k].path);

			if (strcmp(r, w) != 0 && (path_is_below(r, w) || path_is_below(w, r)) &&
			    !p->b->reads[i].is_optional)
				return err_set(p->e, ERR_REFUSED, "it reads all of %s and writes "
					       "%s", r, w);
		}
	return 0;
}

static int prove_one(const struct models *m, const struct sighting *s, struct err *e)
{
	struct arena a = { 0 };
	struct binding b;
	struct view v = view_of(s, &a);
	struct proof p = { &v, &b, &a, e };
	int rc;

	if (models_match(m, &s->command, &a, &b, NULL) != MATCH_BOUND)
		rc = err_set(e, ERR_REFUSED, "its arguments follow no pattern");
	else
		rc = seen_is_said(&p) < 0 || said_is_seen(&p) < 0 || apart(&p) < 0 ? -1 : 0;
	arena_release(&a);
	return rc;
}

int learn_prove(const struct sighting *v, size_t n, struct bytes text, struct err *e)
{
	struct models *m;
	int rc = 0;

	if (models_new(text, "what was learned", &m, e) < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = prove_one(m, &v[i], e);
	models_free(m);
	return rc;
}
