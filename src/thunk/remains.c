/* remains.c - what a power cut has left of something that gg wrote
 *
 * What gg puts into the project it does not wait for: a name can be on the disk
 * before the bytes are.  A file is then shorter than it was, or has zeros in
 * the place of bytes that it lacks, and a folder lacks some of its files.  To
 * replace such a thing loses nothing, and no edit looks like it but one that
 * only takes away.  It is looked for in what has not been touched since this
 * machine was started: whatever an edit of today has left, it stays.
 *
 * Some file systems can show old blocks of other files there (ext4 with
 * data=writeback).  What is then in a file is seen where its record, or the time of
 * the placeholder that it took the place of, is on the disk; where both are not, it
 * is an edit like any, and stays.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "remains.h"

enum { DEEPEST = 400, PIECE = 1 << 15, SECOND_NS = 1000000000 };

struct look {
	struct store *s;
	int64_t started_ns;     /* this machine: nothing that is younger was there then */
	const struct stamp *put;
	unsigned depth;
};

static int64_t started_ns(void)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (int64_t)(now.tv_sec - up.tv_sec) * SECOND_NS + now.tv_nsec - up.tv_nsec;
}

static bool holds_only(int fd, struct bytes b)
{
	char piece[PIECE];
	size_t at = 0;
	ssize_t n;

	while ((n = file_read_fd(fd, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < n; i++, at++)
			if (piece[i] && (at >= b.n || piece[i] != b.p[at]))
				return false;
		if (at > b.n && b.n)
			return false;
	}
	return n == 0;
}

/* Only gg gives what it makes the time of the placeholder before it. */
static bool bears_our_time(const struct look *l, const struct stat *st)
{
	return l->put && stamp_of(st).mtime_ns == l->put->mtime_ns;
}

static bool is_part_of_file(struct look *l, int fd, const struct stat *st,
			    const struct id *id)
{
	struct arena a = { 0 };
	struct bytes b = { 0 };
	struct err ignored;
	bool is_part;

	if (stamp_of(st).ctime_ns > l->started_ns)
		return false;
	if (bears_our_time(l, st))
		return true;
	if (id && store_get(l->s, id, &a, &b, &ignored) < 0)
		b = (struct bytes){ 0 };
	is_part = holds_only(fd, b);
	arena_release(&a);
	return is_part;
}

static const struct entry *entry_of(const struct tree *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i].name, name) == 0)
			return &t->v[i];
	return NULL;
}

static bool is_part_of_tree(struct look *l, int fd, const struct stat *st,
			    const struct id *id);

static bool is_part(struct look *l, int above, const char *name, const struct id *id)
{
	int fd = openat(above, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	bool is_so = fd >= 0 && fstat(fd, &st) == 0;

	if (is_so && S_ISDIR(st.st_mode))
		is_so = is_part_of_tree(l, fd, &st, id);
	else if (is_so)
		is_so = S_ISREG(st.st_mode) && is_part_of_file(l, fd, &st, id);
	if (fd >= 0)
		close(fd);
	return is_so;
}

static bool is_part_of_entry(struct look *l, int fd, const char *name, const struct tree *t,
			     bool is_ours)
{
	const struct entry *en = entry_of(t, name);
	struct stat st;

	if (strcmp(name, PLACEHOLDER_NAME) == 0)
		return true;
	if ((!en && !is_ours) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	/* A link is made whole. */
	return S_ISLNK(st.st_mode) || is_part(l, fd, name, en ? &en->id : NULL);
}

/* Its value may have gone with the power, too; then its times speak for it. */
static bool is_part_of_tree(struct look *l, int fd, const struct stat *st,
			    const struct id *id)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct tree t = { 0 };
	struct arena a = { 0 };
	struct bytes text;
	struct err ignored;
	const struct dirent *ent;
	bool is_so = d && ++l->depth < DEEPEST;

	if (is_so && id && store_get(l->s, id, &a, &text, &ignored) == 0)
		is_so = tree_decode(text, &a, &t, &ignored) == 0;
	while (is_so && (ent = readdir(d)))
		is_so = strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0 ||
			is_part_of_entry(l, fd, ent->d_name, &t, bears_our_time(l, st));
	l->depth--;
	if (d)
		closedir(d);
	else if (own >= 0)
		close(own);
	arena_release(&a);
	return is_so;
}

bool is_remains(struct store *s, int root, const char *path, const struct ref *value,
		const struct stamp *put)
{
	struct look l = { .s = s, .started_ns = started_ns(), .put = put };
	struct stat st;


	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (value && S_ISDIR(st.st_mode) != (value->kind == REF_TREE))
		return false;
	return is_part(&l, root, path, value ? &value->id : NULL);
}

bool is_left_by_cut(struct store *s, int root, const char *path,
		    const struct ref_record *r)
{
	struct arena a = { 0 };
	const struct ref *value = NULL;
	struct result known;
	struct err ignored;
	bool is_so;

	if (store_get_result(s, &r->thunk, &a, &known, &ignored) == 0)
		value = result_output(&known, r->out);
	is_so = is_remains(s, root, path, value, &r->stamp) ||
		(r->state != PLACE_PLACEHOLDER &&
		 is_remains(s, root, path, &r->value, &r->stamp));
	arena_release(&a);
	return is_so;
}

bool has_lost_bytes(struct store *s, int root, const char *path,
		    const struct ref_record *r, const struct stamp *stamp)
{
	struct err ignored;
	struct id id;

	if (r->state == PLACE_PLACEHOLDER)
		return false;
	/* Who read it since then has noted what it holds now. */
	if (stat_has_lasted(s, stamp, &id))
		return !id_equal(&id, &r->value.id) && stamp->ctime_ns <= started_ns();
	return stat_name(s, root, path, 0, &id, NULL, &ignored) == 0 &&
		!id_equal(&id, &r->value.id);
}
