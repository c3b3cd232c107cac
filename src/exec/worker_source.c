/* worker_source.c - where a worker gets objects from, and puts large ones
 *
 * The dispatcher itself is nearest, then the remotes that the request names.
 * Requests of one run name the same ones, so that a depot is kept for each list.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker_private.h"

struct source {
	char *key;                      /* the URIs, a newline after each */
	struct depot *depot;            /* NULL: none of them can be used */
	struct depot_remote *remotes;
	size_t n;
	bool has_home;                  /* remotes[0], which others own */
	char *why;                      /* of the first that cannot be used */
	struct source *next;
};

/* Told once a cause; what fails for it later is to say it too. */
static void on_notice(void *arg, const char *text)
{
	struct worker *w = arg;

	snprintf(w->trouble, sizeof w->trouble, "%s", text);
	worker_tell(w, "%s", text);
}

static void add_remote(struct worker *w, struct source *s, const char *uri)
{
	struct remote_opts o = { .loop = w->o.loop, .http = w->o.http,
				 .setting = w->o.setting, .setting_arg = w->o.setting_arg };
	const struct remote_ops *ops;
	struct remote *r;
	struct err e;

	ops = remote_find(uri, &e);
	if (ops && ops->open(&o, uri, &r, &e) == 0) {
		s->remotes[s->n++] = (struct depot_remote){ .ops = ops, .remote = r };
		return;
	}
	worker_tell(w, "a remote of a request cannot be used here: %s", e.text);
	if (!s->why)
		s->why = mem_str(e.text);
}

static void free_source(struct source *s)
{
	depot_free(s->depot);
	for (size_t i = s->has_home; i < s->n; i++)
		s->remotes[i].ops->close(s->remotes[i].remote);
	free(s->remotes);
	free(s->key);
	free(s->why);
	free(s);
}

static int new_source(struct worker *w, const char *const *uris, const char *key,
		      struct source **out, struct err *e)
{
	struct source *s = memset(mem_alloc(sizeof *s), 0, sizeof *s);
	struct depot_opts o = { .loop = w->o.loop, .store = w->o.store,
				.notice = on_notice, .arg = w };
	size_t n = 1;

	for (size_t i = 0; uris && uris[i]; i++)
		n++;
	s->key = mem_str(key);
	s->remotes = mem_alloc(n * sizeof *s->remotes);
	if (w->home) {
		s->has_home = true;
		s->remotes[s->n++] = (struct depot_remote){ .ops = w->home_ops,
							    .remote = w->home,
							    .is_plain = true };
	}
	for (size_t i = 0; uris && uris[i]; i++)
		add_remote(w, s, uris[i]);
	o.remotes = s->remotes;
	o.n_remotes = s->n;
	if (s->n && depot_new(&o, &s->depot, e) < 0) {
		free_source(s);
		return -1;
	}
	*out = s;
	return 0;
}

int source_find(struct worker *w, const char *const *uris, struct depot **out,
		struct err *e)
{
	struct buf key = { 0 };
	struct source *s;
	int rc = 0;

	*out = NULL;
	if (!w->home && !(uris && *uris))
		return 0;
	buf_str(&key, "");
	for (size_t i = 0; uris && uris[i]; i++)
		buf_printf(&key, "%s\n", uris[i]);
	for (s = w->sources; s && strcmp(s->key, key.p) != 0; s = s->next)
		;
	if (!s && (rc = new_source(w, uris, key.p, &s, e)) == 0) {
		s->next = w->sources;
		w->sources = s;
	}
	buf_release(&key);
	if (rc == 0)
		*out = s->depot;
	return rc;
}

void sources_free(struct worker *w)
{
	for (struct source *s = w->sources, *next; s; s = next) {
		next = s->next;
		free_source(s);
	}
	w->sources = NULL;
}

void worker_set_home(struct worker *w, const struct remote_ops *ops, struct remote *r)
{
	sources_free(w);
	w->home_ops = ops;
	w->home = r;
}
