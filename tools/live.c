/* live.c - what running thunks print, written down as it comes */
#include "live.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "journal.h"

/* Of a file larger than this only the end is held on the disk. */
enum { HELD_MAX = 16 << 20, HELD = 1 << 20 };

struct live_file {
	char *path;
	uint64_t at;                    /* of the log, where the file ends */
};

struct live {
	char *dir;
	struct map files;               /* thunk, and "2" of a second -> live_file */
	struct arena arena;
};

struct live *live_new(const char *store_dir, const char *run)
{
	struct live *l = mem_alloc(sizeof *l);

	*l = (struct live){ 0 };
	l->dir = arena_printf(&l->arena, "%s/" JOURNAL_DIR "/%s" LIVE_ENDING, store_dir, run);
	return l;
}

static const char *name_of(const struct exec_event *ev, char out[ID_HEX + 3])
{
	snprintf(out, ID_HEX + 3, "%s%s", id_hex(ev->thunk).s, ev->is_second ? ".2" : "");
	return out;
}

static struct live_file *file_of(struct live *l, const struct exec_event *ev)
{
	char name[ID_HEX + 3];
	struct live_file *f = map_get(&l->files, bytes_str(name_of(ev, name)));

	if (f)
		return f;
	f = arena_alloc(&l->arena, sizeof *f);
	f->path = arena_printf(&l->arena, "%s/%s", l->dir, name);
	f->at = 0;
	*map_at(&l->files, bytes_str(arena_str(&l->arena, name))) = f;
	return f;
}

/* Add text, which stands at `at` of the log: what is there already is passed over. */
static void add(struct live_file *f, uint64_t at, struct bytes text)
{
	char gap[60];
	struct err ignored;
	struct stat st;
	size_t known = at < f->at ? (size_t)(f->at - at) : 0;
	int fd;

	if (known >= text.n || dir_make_above(AT_FDCWD, f->path, &ignored) < 0)
		return;
	fd = open(f->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	if (at > f->at)
		file_write_fd(fd, gap, (size_t)snprintf(gap, sizeof gap,
			      "\n[%llu bytes are left out]\n", (unsigned long long)(at - f->at)));
	file_write_fd(fd, text.p + known, text.n - known);
	if (fstat(fd, &st) == 0 && (uint64_t)st.st_blocks * 512 > HELD_MAX)
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, st.st_size - HELD);
	close(fd);
	f->at = at + text.n;
}

static void end(struct live *l, const struct exec_event *ev)
{
	char name[ID_HEX + 3];
	struct live_file *f = map_get(&l->files, bytes_str(name_of(ev, name)));

	if (!f)
		return;
	add(f, ev->report->log_dropped_bytes, ev->report->log);
	unlink(f->path);
	f->at = 0;                      /* it may run again */
}

void live_event(struct live *l, const struct exec_event *ev)
{
	if (ev->kind == EXEC_PRINTED)
		add(file_of(l, ev), ev->log_at, ev->log);
	else if (ev->kind == EXEC_RAN && l->files.n)
		end(l, ev);
}

void live_free(struct live *l)
{
	size_t pos = 0;
	struct bytes key;
	void *f;

	while (map_each(&l->files, &pos, &key, &f))
		unlink(((struct live_file *)f)->path);
	if (l->files.n)
		rmdir(l->dir);
	map_release(&l->files);
	arena_release(&l->arena);
	free(l);
}
