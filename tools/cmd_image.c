/* cmd_image.c - gg image: from outputs to the closures behind them, to an image */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "container.h"
#include "file.h"
#include "gg.h"
#include "http.h"
#include "image.h"
#include "registry.h"
#include "shown.h"

struct picture {
	struct ctx *c;
	struct map seen, closures;      /* ids: thunks, closures */
	struct id *queue, *found;
	size_t n, room, n_found, found_room;
	size_t n_hosts;                 /* thunks that no image can run */
	const char *host_label;         /* one of them */
	const char *below;
	struct image image;
	int fd;
};

static void push_id(struct id **v, size_t *n, size_t *room, const struct id *id)
{
	if (*n == *room) {
		*room = *room ? 2 * *room : 64;
		*v = mem_grow(*v, *room * sizeof **v);
	}
	(*v)[(*n)++] = *id;
}

static bool is_new(struct picture *p, struct map *m, const struct id *id)
{
	struct id *key;

	if (map_get(m, id_key(id)))
		return false;
	key = arena_alloc(&p->c->arena, sizeof *key);
	*key = *id;
	*map_at(m, id_key(key)) = key;
	return true;
}

static void reach(struct picture *p, const struct id *thunk)
{
	if (is_new(p, &p->seen, thunk))
		push_id(&p->queue, &p->n, &p->room, thunk);
}

static int add_ref(void *arg, const char *path, const struct ref_record *r)
{
	struct picture *p = arg;

	if (path_is_below(p->below, path))
		reach(p, &r->thunk);
	return 0;
}

static int take_word(struct picture *p, const char *word, struct err *e)
{
	struct ctx *c = p->c;
	struct named named;
	struct stat st;
	bool inside;

	p->below = project_path(&c->project, &c->arena, c->cwd, word, &inside);
	if (name_find(c, word, &named, e) == 0) {
		if (!named.is_thunk)
			return err_set(e, ERR_USAGE, "%s is no output of a thunk", word);
		reach(p, &named.id);
		return 0;
	}
	if (e->code != ERR_USAGE || !inside || stat(word, &st) < 0 || !S_ISDIR(st.st_mode))
		return -1;
	return ref_each(c->store, add_ref, p, e);
}

/* What the thunk itself needs, and the thunks whose outputs it reads or, being
 * known to end in others, returns. */
static int look_at(struct picture *p, const struct id *id, struct arena *a, struct err *e)
{
	struct bytes text;
	struct result r;
	struct thunk t;
	struct err none;

	if (store_get(p->c->store, id, a, &text, e) < 0 || thunk_decode(text, a, &t, e) < 0)
		return err_wrap(e, "thunk %.12s", id_hex(id).s);
	if (t.runtime == RUNTIME_CLOSURE && is_new(p, &p->closures, &t.runtime_id))
		push_id(&p->found, &p->n_found, &p->found_room, &t.runtime_id);
	if (t.runtime == RUNTIME_HOST && !p->n_hosts++)
		p->host_label = thunk_label(&t, &p->c->arena, 60);
	for (size_t i = 0; i < t.n_in; i++)
		if (t.in[i].ref.kind == REF_THUNK)
			reach(p, &t.in[i].ref.id);
	if (store_get_result(p->c->store, id, a, &r, &none) < 0)
		return 0;
	for (size_t i = 0; i < r.n; i++)
		if (r.v[i].ref.kind == REF_THUNK)
			reach(p, &r.v[i].ref.id);
	return 0;
}

static int find_closures(struct picture *p, int argc, char **argv, struct err *e)
{
	struct arena a = { 0 };
	int rc = 0;

	for (int i = 0; i < argc && rc == 0; i++)
		rc = take_word(p, argv[i], e);
	for (size_t i = 0; i < p->n && rc == 0; i++) {
		struct id id = p->queue[i];     /* the queue may move */

		rc = look_at(p, &id, &a, e);
		arena_reset(&a);
	}
	arena_release(&a);
	if (rc == 0 && !p->n_found)
		return err_set(e, ERR_USAGE, "no step behind %s has a closure%s%s%s: the model "
			       "needs a `uses` line, or let gg learn it (gg help models)",
			       argv[0], p->host_label ? " (\"" : "",
			       p->host_label ? p->host_label : "", p->host_label ? "\")" : "");
	if (rc == 0 && p->n_hosts)
		note("%zu steps run on this machine only, not in the image, such as \"%s\"",
		     p->n_hosts, p->host_label);
	return rc;
}

/* ---- the file */

/* A file that is gone by itself unless it is given a name. */
static int open_nameless(const char *dir, struct err *e)
{
	char path[4096];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd < 0 ? err_sys(e, "cannot write in %s", dir) : fd;
	snprintf(path, sizeof path, "%s/.gg-image-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot write in %s", dir);
	unlink(path);
	return fd;
}

static int give_name(struct ctx *c, int fd, const char *path, struct err *e)
{
	const char *from = arena_printf(&c->arena, "/proc/self/fd/%d", fd);
	const char *mid = arena_printf(&c->arena, "%.*s.gg-image-%ld",
				       (int)(path_base(path) - path), path, (long)getpid());
	int rc;

	if (fsync(fd) < 0)
		return err_sys(e, "writing %s", path);
	unlink(mid);
	rc = linkat(AT_FDCWD, from, AT_FDCWD, mid, AT_SYMLINK_FOLLOW);
	if (rc == 0 && (rc = rename(mid, path)) < 0)
		unlink(mid);
	return rc < 0 ? err_sys(e, "cannot write %s", path) : 0;
}

/* The static one where it was made (make worker), else gg with its libraries. */
static const char *worker_program(struct ctx *c)
{
	const char *beside = arena_printf(&c->arena, "%.*sgg-worker",
					  (int)(path_base(c->self) - c->self), c->self);

	return access(beside, X_OK) == 0 ? beside : c->self;
}

static int make(struct picture *p, const char *opened, struct err *e)
{
	struct ctx *c = p->c;
	const char *libraries[2] = { opened, NULL };
	const char *out = c->o.output, *how = c->o.compress;
	struct image_opts o = {
		.store = c->store, .closures = p->found, .n_closures = p->n_found,
		.self = worker_program(c), .opened = libraries, .name = c->o.tag,
	};

	if (how && strcmp(how, "gzip") != 0 && strcmp(how, "zstd") != 0)
		return err_set(e, ERR_USAGE, "\"%s\": layers are compressed by zstd or gzip",
			       how);
	o.squeeze = how && *how == 'g' ? IMAGE_GZIP : IMAGE_ZSTD;
	p->fd = open_nameless(!out ? c->project.store_dir : path_base(out) == out ? "." :
			      arena_strn(&c->arena, out, (size_t)(path_base(out) - out)), e);
	if (p->fd < 0 || image_write(&o, p->fd, &c->arena, &p->image, e) < 0)
		return -1;
	return out ? give_name(c, p->fd, out, e) : 0;
}

/* ---- the registry */

static void say_step(void *arg, enum registry_step step, const struct image_blob *b,
		     uint64_t n_bytes)
{
	static const char *const words[] = {
		[REGISTRY_HAS] = "is there already",
		[REGISTRY_MOUNTED] = "taken over from another name",
		[REGISTRY_RESUMED] = "were there: goes on from there",
		[REGISTRY_SENT] = "sent", [REGISTRY_DONE] = "the image stands",
	};
	struct ctx *c = arg;

	if (!c->o.quiet)
		note("%.12s (%s): %.1f MB %s", id_hex(&b->id).s,
		     b->what ? b->what : step == REGISTRY_DONE ? "manifest" : "config",
		     (double)n_bytes / 1e6, words[step]);
}

static int push(struct picture *p, struct http *http, const struct reference *to,
		struct err *e)
{
	struct ctx *c = p->c;
	struct registry_opts o = {
		.http = http, .store = c->store, .to = *to,
		.trusts_anyone = !c->o.tls_verify, .event = say_step, .arg = c,
	};

	if (online_login(c, to->host, &o.user, &o.password, e) < 0)
		return -1;
	return registry_push(&o, &p->image, p->fd, e);
}

/* ---- what is said */

static void tell_json(struct picture *p)
{
	const struct image *m = &p->image;
	json_t *layers = json_array(), *closures = json_array(), *o;

	for (size_t i = 0; i + 1 < m->n; i++)
		json_array_append_new(layers, json_pack("{s:s s:o s:I s:I}",
			"digest", id_hex(&m->blobs[i].id).s,
			"what", json_name(m->blobs[i].what),
			"bytes", (json_int_t)m->blobs[i].n_bytes,
			"raw", (json_int_t)m->blobs[i].raw_bytes));
	for (size_t i = 0; i < p->n_found; i++)
		json_array_append_new(closures, json_string(id_hex(&p->found[i]).s));
	o = json_pack("{s:s s:o s:o s:I}", "digest", id_hex(&m->manifest.id).s,
		      "layers", layers, "closures", closures,
		      "not_in_it", (json_int_t)p->n_hosts);
	json_dumpf(o, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(o);
}

static void tell(struct picture *p)
{
	const struct image *m = &p->image;
	struct arena *a = &p->c->arena;
	uint64_t n = 0, raw = 0;

	for (size_t i = 0; i + 1 < m->n; i++) {
		const struct image_blob *b = &m->blobs[i];

		n += b->n_bytes;
		raw += b->raw_bytes;
		if (!p->c->o.quiet)
			printf("%.12s %9.1f MB  %s\n", id_hex(&b->id).s, (double)b->n_bytes / 1e6,
			       shown(a, b->what));
	}
	printf("sha256:%s  %zu layers, %.1f MB (%.1f MB unpacked), %zu closures\n",
	       id_hex(&m->manifest.id).s, m->n - 1, (double)n / 1e6, (double)raw / 1e6,
	       p->n_found);
}

static int image(struct picture *p, int argc, char **argv, struct err *e)
{
	struct ctx *c = p->c;
	struct reference to;
	struct http *http;
	int rc;

	if (!c->o.output && !c->o.push)
		return err_set(e, ERR_USAGE, "say where the image is to go: -o FILE, or "
			       "--push HOST/NAME[:TAG]");
	if (c->o.push && reference_parse(c->o.push, &c->arena, &to, e) < 0)
		return -1;
	if (find_closures(p, argc, argv, e) < 0 || online_open(c, &http, e) < 0)
		return -1;
	rc = make(p, http_library(http), e);
	if (rc == 0 && c->o.push)
		rc = push(p, http, &to, e);
	http_free(http);
	if (rc < 0)
		return -1;
	if (c->o.json)
		tell_json(p);
	else
		tell(p);
	return EXIT_FINE;
}

int cmd_image(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct picture p = { .c = c, .fd = -1 };
	int rc = image(&p, argc, argv, e);

	if (p.fd >= 0)
		close(p.fd);
	map_release(&p.seen);
	map_release(&p.closures);
	free(p.queue);
	free(p.found);
	return rc;
}

int cmd_pack(struct ctx *c, int argc, char **argv, struct err *e)
{
	(void)c;
	(void)e;
	return container_pack_main(argc, argv);
}
