/* machine.c - the machine's part in a step: its host text
 *
 * A step that runs on the host depends on the program and on the system files
 * that it is known to use.  Their names make the host text, so that a new
 * compiler or header gives another thunk.  Each file is named once per run.
 * A step whose model names what it uses depends on the closure of that instead.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "closure.h"
#include "file.h"
#include "gather.h"

void machine_release(struct machine *m)
{
	map_release(&m->ids);
	map_release(&m->programs);
	map_release(&m->closures);
	map_release(&m->held);
	arena_release(&m->arena);
}

static int name_of(struct gather *g, const char *path, struct id *out,
		   struct err *e)
{
	struct machine *m = &g->in->machine;
	struct id *known = map_get(&m->ids, bytes_str(path));

	if (!known) {
		struct id id;

		if (stat_name(g->in->o.store, AT_FDCWD, path, 0, &id, NULL, e) < 0)
			return -1;
		known = arena_alloc(&m->arena, sizeof *known);
		*known = id;
		*map_at(&m->ids, bytes_str(arena_str(&m->arena, path))) = known;
		gather_tell(g, path, INPUT_CONTENT);
	}
	*out = *known;
	return 0;
}

static void add_file(struct gather *g, const char *path, const struct id *id)
{
	if (g->n_files == g->files_room) {
		g->files_room = g->files_room ? 2 * g->files_room : 64;
		g->files = mem_grow(g->files, g->files_room * sizeof *g->files);
	}
	g->files[g->n_files++] = (struct host_file){ .path = path, .id = *id };
}

int machine_add(struct gather *g, const char *path, struct err *e)
{
	const char *clean = path_clean(g->a, g->c->cwd, path);
	struct id id;

	if (name_of(g, clean, &id, e) < 0)
		return -1;
	add_file(g, clean, &id);
	return 0;
}

static const char *path_value(const struct gather *g)
{
	for (size_t i = 0; i < g->c->n_env; i++)
		if (strncmp(g->c->env[i], "PATH=", 5) == 0)
			return g->c->env[i] + 5;
	return "";
}

static const char *search_path(struct gather *g, const char *name)
{
	const char *path = path_value(g);

	while (*path) {
		size_t n = strcspn(path, ":");
		const char *full = arena_printf(g->a, "%.*s/%s", (int)n, path, name);

		if (n && access(full, X_OK) == 0)
			return full;
		path += n + (path[n] == ':');
	}
	return NULL;
}

/* A script's interpreter, and behind env the program that env would find. */
static int add_interpreter(struct gather *g, const char *program, struct err *e)
{
	char line[PATH_MAX], *word, *save = NULL;

	if (!file_shebang(program, line, sizeof line))
		return 0;
	word = strtok_r(line, " \t", &save);
	if (!word || *word != '/')
		return 0;
	if (machine_add(g, word, e) < 0)
		return -1;
	if (strcmp(path_base(word), "env") != 0)
		return 0;
	while ((word = strtok_r(NULL, " \t", &save))) {
		const char *found;

		if (*word == '-' || strchr(word, '='))
			continue;
		found = search_path(g, word);
		return found ? machine_add(g, found, e) : 0;
	}
	return 0;
}

static int compare_files(const void *x, const void *y)
{
	const struct host_file *a = x, *b = y;

	return strcmp(a->path, b->path);
}

static int put_host(struct gather *g, const struct host_file *program,
		    struct id *host, struct err *e)
{
	struct host h = { .program = *program, .files = g->files };
	struct utsname uts;
	struct buf text = { 0 };
	int rc;

	uname(&uts);
	h.arch = uts.machine;
	if (g->n_files)
		qsort(g->files, g->n_files, sizeof *g->files, compare_files);
	for (size_t i = 0; i < g->n_files; i++)
		if (!h.n || strcmp(g->files[h.n - 1].path, g->files[i].path) != 0)
			g->files[h.n++] = g->files[i];
	rc = host_encode(&h, &text, e);
	if (rc == 0)
		rc = store_put(g->in->o.store, buf_bytes(&text), host, e);
	buf_release(&text);
	return rc;
}

/* A program of the project is an input, and that says what it is; the host
 * text says only where, with an id of zeros. */
static int project_program(struct gather *g, const char *path,
			   struct host_file *out, struct err *e)
{
	bool was_plain = g->is_plain;
	int rc;

	/* Its first line says which interpreter there is. */
	g->is_plain = false;
	rc = gather_path(g, path, e);
	g->is_plain = was_plain;
	if (rc < 0)
		return -1;
	out->path = gather_spelled(g, path);
	if (!out->path)
		out->path = project_path(g->in->o.project, g->a, g->c->cwd, path,
					 &(bool){ false });
	out->id = (struct id){ 0 };
	return 0;
}

static struct id probe_key(struct gather *g, const struct binding *b)
{
	struct hash *h = hash_new();
	struct id key;

	hash_add(h, "probe 1", 7);
	hash_add(h, g->c->program, strlen(g->c->program) + 1);
	hash_add(h, &g->program.id, sizeof g->program.id);
	for (size_t i = 0; i < b->n_probe; i++)
		hash_add(h, b->probe[i], strlen(b->probe[i]) + 1);
	if (b->n_probe)
		gather_hash_env(g, b, h);
	key = hash_end(h);
	hash_free(h);
	return key;
}

/* A record is the paths, each with a NUL behind it. */
static struct known_program *keep(struct machine *m, const struct id *key,
				  struct bytes rec)
{
	struct known_program *k = arena_alloc(&m->arena, sizeof *k);
	struct bytes own = arena_bytes(&m->arena, rec);
	size_t n = 0;

	for (size_t i = 0; i < own.n; i++)
		n += own.p[i] == 0;
	k->files = arena_alloc(&m->arena, n * sizeof *k->files);
	for (const char *p = own.p; k->n_files < n; p += strlen(p) + 1)
		k->files[k->n_files++] = p;
	*map_at(&m->programs, arena_bytes(&m->arena, id_key(key))) = k;
	return k;
}

static int learn(struct infer *in, const char *program, const char *search,
		 const struct id *key, struct bytes said, struct err *e)
{
	struct arena a = { 0 };
	struct strs files = { 0 };
	struct buf rec = { 0 };
	int rc;

	system_files(program, said, search, &a, &files);
	for (size_t i = 0; i < files.n; i++)
		buf_add(&rec, files.v[i], strlen(files.v[i]) + 1);
	rc = store_table_put(in->o.store, TABLE_SCAN, id_key(key), buf_bytes(&rec), e);
	keep(&in->machine, key, buf_bytes(&rec));
	strs_release(&files);
	buf_release(&rec);
	arena_release(&a);
	return rc;
}

int machine_learn(struct infer *in, const struct infer_helper *h, struct bytes said,
		  struct err *e)
{
	return learn(in, h->program, h->search, &h->key, said, e);
}

static int find_program(struct gather *g, struct err *e)
{
	bool inside;

	g->program.path = g->c->program;
	project_path(g->in->o.project, g->a, g->c->cwd, g->c->program, &inside);
	if (inside || gather_spelled(g, g->c->program))
		return project_program(g, g->c->program, &g->program, e);
	return name_of(g, g->program.path, &g->program.id, e);
}

int machine_probe(struct gather *g, const struct binding *b, struct err *e)
{
	struct machine *m = &g->in->machine;
	struct bytes rec;
	struct id key;

	if (find_program(g, e) < 0)
		return -1;
	key = probe_key(g, b);
	g->known = map_get(&m->programs, id_key(&key));
	if (g->known)
		return 1;
	if (store_table_get(g->in->o.store, TABLE_SCAN, id_key(&key), g->a, &rec,
			    e) == 0) {
		g->known = keep(m, &key, rec);
		return 1;
	}
	if (e->code != ERR_MISSING)
		return -1;
	if (!b->n_probe || map_get(&g->in->failed, id_key(&key))) {
		if (learn(g->in, g->c->program, path_value(g), &key,
			  (struct bytes){ 0 }, e) < 0)
			return -1;
		g->known = map_get(&m->programs, id_key(&key));
		return 1;
	}
	gather_ask(g, b->probe, b->n_probe, &key);
	g->helper->program = g->c->program;
	g->helper->search = path_value(g);
	return 0;
}

int machine_host(struct gather *g, struct id *host, struct err *e)
{
	bool is_common = g->n_files == 0 && g->program.path == g->c->program;

	if (is_common && g->known->has_host) {
		*host = g->known->host;
		return 0;
	}
	for (size_t i = 0; i < g->known->n_files; i++) {
		const char *f = g->known->files[i];

		/* Where the project lies is no part of a step: others have it too. */
		if (id_is_zero(&g->program.id) && strcmp(f, g->c->program) == 0)
			continue;
		if (machine_add(g, f, e) < 0 && e->code != ERR_MISSING)
			return -1;
	}
	if (add_interpreter(g, g->c->program, e) < 0 ||
	    put_host(g, &g->program, host, e) < 0)
		return -1;
	if (is_common) {
		g->known->has_host = true;
		g->known->host = *host;
	}
	return 0;
}

/* ---- closures */

static bool is_same_file(const char *x, const char *y)
{
	struct stat a, b;

	return stat(x, &a) == 0 && stat(y, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Would a forced step find the program by this name? */
static bool is_found_by(struct gather *g, const char *name)
{
	const char *p = g->in->o.search;

	for (; p && *p; p += strcspn(p, ":"), p += *p == ':') {
		const char *at = arena_printf(g->a, "%.*s/%s", (int)strcspn(p, ":"), p, name);

		if (access(at, X_OK) == 0)
			return is_same_file(at, g->c->program);
	}
	return false;
}

/* A plain path as one from the command's folder, of the project as well. */
static const char *from_cwd(struct gather *g, const char *path)
{
	const char *cwd = project_path(g->in->o.project, g->a, g->c->cwd, ".",
				       &(bool){ false });
	struct buf up = { 0 };
	const char *all;

	buf_str(&up, strcmp(cwd, ".") == 0 ? "./" : "../");
	for (const char *p = cwd; (p = strchr(p, '/')) != NULL; p++)
		buf_str(&up, "../");
	all = arena_printf(g->a, "%s%s", up.p, path);
	buf_release(&up);
	return all;
}

/* No host text says which file is executed: the first word has to.  Where PATH
 * or the caller led elsewhere than it says, it is the program's path. */
static const char *first_word(struct gather *g, const char *inside)
{
	const char *word = g->c->args[0];

	if (strchr(word, '/') &&
	    strcmp(path_clean(g->a, g->c->cwd, word), g->c->program) == 0)
		return word;
	if (inside)
		return from_cwd(g, inside);
	return !strchr(word, '/') && is_found_by(g, word) ? word : g->c->program;
}

/* Made once per inference: a second look would cost a stat of each file. */
static int closure_of(struct gather *g, const struct binding *b, struct id *tree,
		      struct err *e)
{
	struct machine *m = &g->in->machine;
	struct buf key = { 0 };
	struct id *known;
	int rc = 0;

	for (size_t i = 0; i < b->n_uses; i++)
		buf_add(&key, b->uses[i], strlen(b->uses[i]) + 1);
	known = map_get(&m->closures, buf_bytes(&key));
	if (known)
		*tree = *known;
	else
		rc = closure_make_after(m->ahead, g->in->o.store, b->uses, b->n_uses, tree, e);
	if (!known && rc == 0) {
		known = arena_alloc(&m->arena, sizeof *known);
		*known = *tree;
		*map_at(&m->closures, arena_bytes(&m->arena, buf_bytes(&key))) = known;
		if (g->in->o.closure)
			g->in->o.closure(g->in->o.arg, b->uses, b->n_uses, tree);
	}
	buf_release(&key);
	/* What changes under the hand has no name: the command runs for real. */
	if (rc < 0 && e->code == ERR_RETRY)
		e->code = ERR_FAILED;
	return rc;
}

/* A program that no package of the closure brings, such as a wrapper that goes
 * on to the real one, would be another on each machine. */
static int need_program(struct gather *g, const struct id *tree, struct err *e)
{
	struct machine *m = &g->in->machine;
	const char *key = arena_printf(g->a, "%s %s", id_hex(tree).s, g->c->program);
	struct entry ent;

	if (map_get(&m->held, bytes_str(key)))
		return 0;
	if (closure_find(g->in->o.store, tree, g->c->program, &ent, e) < 0) {
		g->is_of_another = e->code == ERR_MISSING;
		return !g->is_of_another ? -1 :
		       err_set(e, ERR_MISSING, "its program %s is not among what its model "
			       "uses", g->c->program);
	}
	*map_at(&m->held, bytes_str(arena_str(&m->arena, key))) = m;
	return 0;
}

int machine_closure(struct gather *g, const struct binding *b, struct id *tree,
		    const char **program, struct err *e)
{
	struct host_file own = { 0 };
	bool inside;

	project_path(g->in->o.project, g->a, g->c->cwd, g->c->program, &inside);
	if ((inside || gather_spelled(g, g->c->program)) &&
	    project_program(g, g->c->program, &own, e) < 0)
		return -1;
	*program = first_word(g, own.path);
	if (closure_of(g, b, tree, e) < 0)
		return -1;
	return own.path ? 0 : need_program(g, tree, e);
}
