/* container_gc.c - what killed processes have left at container engines */
#include "container_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "container.h"
#include "file.h"

/* In the store: sockets, one on a line. */
#define LIST "containers"

enum { LIST_MAX = 1 << 16 };

static bool holds(struct bytes list, const char *line)
{
	struct buf b = { 0 };
	bool is_there;

	buf_printf(&b, "\n%s\n", line);
	is_there = (list.n >= b.n - 1 && memcmp(list.p, b.p + 1, b.n - 1) == 0) ||
		   memmem(list.p, list.n, b.p, b.n);
	buf_release(&b);
	return is_there;
}

static struct bytes read_list(const char *path, struct arena *a)
{
	struct bytes list = { "", 0 };
	struct err ignored;

	if (file_read(AT_FDCWD, path, LIST_MAX, a, &list, &ignored) < 0)
		list = (struct bytes){ "", 0 };
	return list;
}

void container_remember(const char *store_dir, const char *socket)
{
	struct arena a = { 0 };
	const char *path = arena_printf(&a, "%s/" LIST, store_dir);
	struct bytes list = read_list(path, &a);
	struct buf b = { 0 };
	struct err ignored;             /* gc then knows one less */

	if (!strchr(socket, '\n') && !holds(list, socket)) {
		buf_add(&b, list.p, list.n);
		buf_printf(&b, "%s\n", socket);
		file_write(AT_FDCWD, path, buf_bytes(&b), 0644, 0, &ignored);
	}
	buf_release(&b);
	arena_release(&a);
}

static void clean(const struct backend_opts *o, const char *socket, struct container_gc *g)
{
	struct container_client c;
	struct err ignored;

	if (container_client_open(&c, o, socket, 0, &ignored) < 0)
		return;
	if (!g->is_dry)
		g->n_containers += container_sweep_all(&c);
	g->n_images += container_images_sweep(&c, o, g->grace_s, g->is_dry);
	container_client_close(&c);
}

void container_gc(const struct backend_opts *o, struct container_gc *g)
{
	struct arena a = { 0 };
	struct bytes list = read_list(arena_printf(&a, "%s/" LIST, o->store_dir), &a);
	char *text = arena_strn(&a, list.p, list.n), *line;

	while ((line = strsep(&text, "\n")))
		if (*line)
			clean(o, line, g);
	arena_release(&a);
}
