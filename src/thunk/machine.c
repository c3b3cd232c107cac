/* machine.c - the machine's part in a step: its host text
 *
 * A step that runs on the host depends on the program and on the system files
 * that it is known to use.  Their names make the host text, so that a new
 * compiler or header gives another thunk.  Each file is named once per run.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "file.h"
#include "gather.h"

/* A program whose host text has no files but its own: most are so. */
struct known_host {
	struct id program, host;
};

void machine_release(struct machine *m)
{
	map_release(&m->ids);
	map_release(&m->hosts);
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
	}
	if (g->in->o.input)
		g->in->o.input(g->in->o.arg, path, false);
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

static const char *search_path(struct gather *g, const char *name)
{
	const char *path = NULL;

	for (size_t i = 0; i < g->c->n_env; i++)
		if (strncmp(g->c->env[i], "PATH=", 5) == 0)
			path = g->c->env[i] + 5;
	while (path && *path) {
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
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : file_read_fd(fd, line, sizeof line - 1);

	if (fd >= 0)
		close(fd);
	if (n < 3 || line[0] != '#' || line[1] != '!')
		return 0;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	word = strtok_r(line + 2, " \t", &save);
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
	if (gather_path(g, path, e) < 0)
		return -1;
	out->path = project_path(g->in->o.project, g->a, g->c->cwd, path,
				 &(bool){ false });
	out->id = (struct id){ 0 };
	return 0;
}

int machine_host(struct gather *g, struct id *host, struct err *e)
{
	struct machine *m = &g->in->machine;
	struct host_file program = { .path = g->c->program };
	struct known_host *known;
	bool inside, alone;

	project_path(g->in->o.project, g->a, g->c->cwd, g->c->program, &inside);
	if (inside) {
		if (project_program(g, g->c->program, &program, e) < 0 ||
		    add_interpreter(g, g->c->program, e) < 0)
			return -1;
		return put_host(g, &program, host, e);
	}
	if (name_of(g, program.path, &program.id, e) < 0)
		return -1;
	alone = g->n_files == 0;
	known = map_get(&m->hosts, bytes_str(program.path));
	if (alone && known && id_equal(&known->program, &program.id)) {
		*host = known->host;
		return 0;
	}
	if (add_interpreter(g, program.path, e) < 0 ||
	    put_host(g, &program, host, e) < 0)
		return -1;
	if (alone) {
		known = arena_alloc(&m->arena, sizeof *known);
		*known = (struct known_host){ program.id, *host };
		*map_at(&m->hosts, bytes_str(arena_str(&m->arena, program.path))) =
			known;
	}
	return 0;
}
