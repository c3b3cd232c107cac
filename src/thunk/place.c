/* place.c - placeholders and real files at the paths of a project
 *
 * Whatever appears does so by one rename, of a temporary beside it, so that a
 * reader and a crash find the old or the new.  Where a directory is in the
 * way of the rename the two change places and the old one goes afterwards.
 * Nothing here waits for the disk: what is lost with it is in the store, and
 * a placeholder is made again by inferring.  What a power cut has left of it is
 * told from an edit (remains.c).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "file.h"
#include "lay.h"
#include "litter.h"
#include "place.h"
#include "remains.h"
#include "trade.h"
#include "undo.h"

enum { PATH_MOST = 4096, TEMP_TRIES = 100 };

/* A new file or directory beside path, by a name nobody looks for; folders
 * above are made only when they turn out to be absent. */
static int temp_make(int root, const char *path, bool is_dir, mode_t mode,
		     char temp[PATH_MOST], struct err *e)
{
	int above = (int)(path_base(path) - path), fd, n;

	for (unsigned i = 0; i < TEMP_TRIES; i++) {
		n = snprintf(temp, PATH_MOST, "%.*s.gg-%x-%x.tmp", above, path,
			     (unsigned)getpid(), i);
		if (n >= PATH_MOST)
			return err_set(e, ERR_REFUSED, "%.200s...: the path is too long", path);
		if (is_dir)
			fd = mkdirat(root, temp, mode);
		else
			fd = openat(root, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd >= 0)
			return fd;
		if (errno == ENOENT && i == 0 && above > 0) {
			if (dir_make_above(root, path, e) < 0)
				return -1;
			continue;
		}
		if (errno != EEXIST)
			break;
	}
	if (errno == EACCES || errno == EPERM)
		return err_set(e, ERR_IO, "%s: cannot make a file there: %s; give yourself "
			       "write access to its folder", path, strerror(errno));
	return err_sys(e, "%s: cannot make a file there", path);
}

/* What cannot be removed now is so by a later gg. */
static void drop_temp(const struct project *p, const char *temp)
{
	struct err ignored;

	if (dir_remove(p->root_fd, temp, &ignored) < 0)
		litter_keep(p, temp);
}

/* Old and new change places, or, where the file system cannot do that, the
 * old one steps aside first. */
static int swap(const struct project *p, const char *temp, const char *path)
{
	char aside[PATH_MOST + 8];
	int root = p->root_fd;

	if (renameat2(root, temp, root, path, RENAME_EXCHANGE) == 0) {
		snprintf(aside, sizeof(aside), "%s", temp);
	} else {
		if (errno != EINVAL && errno != ENOSYS)
			return -1;
		snprintf(aside, sizeof(aside), "%s.old", temp);
		if (renameat(root, path, root, aside) < 0)
			return -1;
		if (renameat(root, temp, root, path) < 0) {
			int why = errno;

			renameat(root, aside, root, path);
			errno = why;
			return -1;
		}
	}
	drop_temp(p, aside);
	return 0;
}

/* Is the failure of a rename that a directory is in its way? */
static bool is_in_the_way(int why)
{
	return why == EISDIR || why == ENOTDIR || why == ENOTEMPTY || why == EEXIST;
}

/* Has somebody put files of his own beside the placeholder in a directory? */
static bool holds_more(int root, const char *path)
{
	int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;
	bool more = !d;

	while (d && !more && (de = readdir(d)))
		more = strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0 &&
			strcmp(de->d_name, PLACEHOLDER_NAME) != 0;
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	return more;
}

/* Is what stands at path the very content that value names? */
static bool is_same_content(struct store *s, int root, const char *path,
			    const struct ref *value, const struct stat *st)
{
	struct err ignored;
	struct id id;

	if (S_ISDIR(st->st_mode))
		return value->kind == REF_TREE &&
			stat_tree(s, root, path, 0, NULL, &id, &ignored) == 0 &&
			id_equal(&id, &value->id);
	return S_ISREG(st->st_mode) && value->kind != REF_TREE &&
		stat_name(s, root, path, 0, &id, NULL, &ignored) == 0 &&
		id_equal(&id, &value->id);
}

/* A gg that died after its rename and before its record was on the disk has
 * left the real thing where the record still says placeholder. */
static bool is_ours_unsaid(struct store *s, int root, const char *path,
			   const struct ref_record *r, const struct stat *st)
{
	struct arena a = { 0 };
	const struct ref *value = NULL;
	struct result known;
	struct err ignored;
	bool is_ours;

	if (store_get_result(s, &r->thunk, &a, &known, &ignored) == 0)
		value = result_output(&known, r->out);
	is_ours = value && is_same_content(s, root, path, value, st);
	arena_release(&a);
	return is_ours;
}

static int look_at(struct store *s, int root, const char *path,
		   const struct ref_record *r, enum place_now *out, struct stat *st,
		   struct err *e)
{
	bool is_ours = r && r->state != PLACE_PLACEHOLDER, is_same;
	enum place_now whole = r && r->state == PLACE_LEFT ? NOW_LEFT : NOW_REAL;
	struct arena a = { 0 };
	struct placeholder ph;
	struct stamp stamp;
	struct id id;
	int found;

	*out = NOW_ABSENT;
	if (fstatat(root, path, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "%s", path);
	*out = NOW_EDITED;
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 0;
	stamp = stamp_of(st);
	is_same = r && stamp_equal(&stamp, &r->stamp);
	if (is_same && S_ISREG(st->st_mode)) {
		*out = is_ours && !has_lost_bytes(s, root, path, r, &stamp) ? whole :
			NOW_PLACEHOLDER;
		return 0;
	}
	if (S_ISDIR(st->st_mode) || st->st_size <= PLACEHOLDER_MAX) {
		found = placeholder_at(root, path, &a, &ph, e);
		if (found > 0 && !(S_ISDIR(st->st_mode) && holds_more(root, path)))
			*out = r && id_equal(&ph.thunk, &r->thunk) && strcmp(ph.out, r->out) == 0
			       ? NOW_PLACEHOLDER : NOW_OTHER_PLACEHOLDER;
		arena_release(&a);
		/* A damaged one is no work of the user's: the record knows
		 * which it was. */
		if (found < 0 && r && e->code == ERR_BAD) {
			*out = NOW_PLACEHOLDER;
			return 0;
		}
		if (found)
			return found < 0 ? -1 : 0;
	}
	if (r && !is_ours && is_ours_unsaid(s, root, path, r, st))
		*out = NOW_REAL;
	if (!is_ours || S_ISDIR(st->st_mode) != (r->value.kind == REF_TREE))
		return 0;
	if (S_ISDIR(st->st_mode))
		found = stat_tree(s, root, path, 0, NULL, &id, e);
	else
		found = stat_name(s, root, path, 0, &id, NULL, e);
	if (found == 0 && id_equal(&id, &r->value.id))
		*out = whole;
	/* A device or a socket inside is one more way to differ. */
	return found < 0 && e->code != ERR_BAD && e->code != ERR_REFUSED ? -1 : 0;
}

/* What stands at path, and *st of it unless that is NOW_ABSENT. */
static int look(struct store *s, int root, const char *path,
		const struct ref_record *r, enum place_now *out, struct stat *st,
		struct err *e)
{
	int rc = look_at(s, root, path, r, out, st, e);

	if (rc == 0 && *out == NOW_EDITED && r && is_left_by_cut(s, root, path, r))
		*out = NOW_PLACEHOLDER;
	return rc;
}

int place_look(struct store *s, const struct project *p, const char *path,
	       const struct ref_record *r, enum place_now *out, struct err *e)
{
	struct stat st;

	return look(s, p->root_fd, path, r, out, &st, e);
}

/* The record for path, or NULL if there is none. */
static int ref_find(struct store *s, const char *path, struct arena *a,
		    struct ref_record *space, struct ref_record **out, struct err *e)
{
	*out = NULL;
	if (ref_get(s, path, a, space, e) == 0)
		*out = space;
	return *out || e->code == ERR_MISSING ? 0 : -1;
}

/* May the directory in the way of a placeholder go? */
static int may_replace(struct store *s, int root, const char *path,
		       const struct placeholder *ph, struct err *e)
{
	struct ref_record space, *r, none = { .thunk = ph->thunk, .out = ph->out };
	struct arena a = { 0 };
	enum place_now now;
	struct stat st;
	int rc;

	rc = ref_find(s, path, &a, &space, &r, e);
	/* The record may have gone with the power. */
	if (rc == 0)
		rc = look(s, root, path, r ? r : &none, &now, &st, e);
	arena_release(&a);
	if (rc < 0)
		return -1;
	if (now == NOW_EDITED && S_ISDIR(st.st_mode) && unlinkat(root, path, AT_REMOVEDIR) < 0)
		return err_set(e, ERR_REFUSED, "%s: a directory with files that gg did not "
			       "make stands there; move it away", path);
	return 0;
}

/* Make temp stand at path; it is gone if that fails. */
static int land(const struct project *p, const char *temp, const char *path, struct err *e)
{
	if (renameat(p->root_fd, temp, p->root_fd, path) == 0)
		return 0;
	if (is_in_the_way(errno) && swap(p, temp, path) == 0)
		return 0;
	err_sys(e, "%s: cannot put the new one in place", path);
	drop_temp(p, temp);
	return -1;
}

static int stamp_at(int root, const char *path, struct stat *st, struct err *e)
{
	if (fstatat(root, path, st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "%s: cannot stat", path);
	return 0;
}

static int write_and_close(int fd, struct bytes b, const char *path, struct err *e)
{
	int rc = file_write_fd(fd, b.p, b.n);

	if (rc < 0)
		err_sys(e, "%s: cannot write", path);
	if (close(fd) < 0 && rc == 0)
		rc = err_sys(e, "%s: cannot write", path);
	return rc;
}

/* The placeholder text as a file or a directory by a temporary name. */
static int temp_placeholder(const struct project *p, const char *path, struct bytes text,
			    mode_t mode, char temp[PATH_MOST], struct err *e)
{
	bool is_dir = mode == 0;
	char inner[PATH_MOST + 32];
	int root = p->root_fd, fd = temp_make(root, path, is_dir, is_dir ? 0777 : mode, temp, e);

	if (fd < 0)
		return -1;
	if (is_dir) {
		snprintf(inner, sizeof(inner), "%s/" PLACEHOLDER_NAME, temp);
		fd = openat(root, inner, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	}
	if (fd < 0)
		err_sys(e, "%s: cannot write", path);
	else if (write_and_close(fd, text, path, e) == 0)
		return 0;
	drop_temp(p, temp);
	return -1;
}

static void about_to_put(const struct project *p, const char *path)
{
	litter_note(p, path);
	if (p->undo)
		undo_note(p->undo, path);
}

int place_placeholder(struct store *s, const struct project *p, const char *path,
		      const struct placeholder *ph, bool is_dir, bool is_exec,
		      struct err *e)
{
	struct ref_record r = { .thunk = ph->thunk, .out = ph->out };
	int root = p->root_fd, rc;
	char temp[PATH_MOST];
	struct buf text = { 0 };
	struct stat st;

	if (!path_is_plain(path))
		return err_set(e, ERR_REFUSED, "%s: not a path inside the project", path);
	about_to_put(p, path);
	rc = placeholder_encode(ph, &text, e);
	if (rc == 0)
		rc = temp_placeholder(p, path, buf_bytes(&text),
				      is_dir ? 0 : is_exec ? 0755 : 0644, temp, e);
	buf_release(&text);
	if (rc < 0)
		return -1;
	if (renameat(root, temp, root, path) < 0) {
		rc = is_in_the_way(errno) ? may_replace(s, root, path, ph, e) :
			err_sys(e, "%s: cannot put a placeholder there", path);
		if (rc < 0) {
			drop_temp(p, temp);
			return -1;
		}
		if (land(p, temp, path, e) < 0)
			return -1;
	}
	if (stamp_at(root, path, &st, e) < 0)
		return -1;
	r.stamp = stamp_of(&st);
	store_note_name(s, root, path);
	return ref_put(s, path, &r, e);
}

/* Say in the record and the stat cache that value stands at path. */
static int note_value(struct store *s, const char *path, const struct placeholder *ph,
		      enum place_state state, const struct ref *value,
		      const struct stat *st, struct err *e)
{
	struct ref_record r = { .thunk = ph->thunk, .out = ph->out,
				.state = state, .value = *value };

	r.stamp = stamp_of(st);
	if (value->kind != REF_TREE && stat_note(s, st, &value->id, e) < 0)
		return -1;
	return ref_put(s, path, &r, e);
}

static int note_real(struct store *s, const char *path, const struct placeholder *ph,
		     const struct ref *value, const struct stat *st, struct err *e)
{
	return note_value(s, path, ph, PLACE_REAL, value, st, e);
}

/* Where a placeholder stands a file of ours can change places with it: 1 it
 * has, 0 it is to be done in the ordinary way. */
static int swap_real(const struct project *p, const struct lay *l, const char *path,
		     const struct ref *value, struct err *e)
{
	int fd = trade_open(p, value->kind == REF_VALUE ? 0666 : 0777), rc;

	if (fd < 0)
		return 0;
	rc = lay_file(l, fd, &value->id, e);
	if (close(fd) < 0 && rc == 0)
		rc = err_sys(e, "cannot write");
	if (rc < 0)
		return -1;
	return trade_land(p, path) == 0;
}

static int explain_unlaid(const char *path, struct err *e)
{
	struct err why = *e;

	if (e->code != ERR_IO)
		return err_wrap(e, "%s", path);
	return err_set(e, ERR_IO, "%s: %.600s; what stood there still does: make room "
		       "and force it again", path, why.text);
}

/* Write value beside path and make it stand there. */
static int put_real(const struct project *p, const struct lay *l, const char *path,
		    const struct ref *value, struct stat *st, struct err *e)
{
	bool is_dir = value->kind == REF_TREE;
	char temp[PATH_MOST];
	int fd, rc;

	fd = temp_make(l->dirfd, path, is_dir, value->kind == REF_VALUE ? 0666 : 0777,
		       temp, e);
	if (fd < 0)
		return -1;
	if (is_dir) {
		rc = lay_tree(l, temp, &value->id, e);
	} else {
		rc = lay_file(l, fd, &value->id, e);
		if (close(fd) < 0 && rc == 0)
			rc = err_sys(e, "cannot write");
	}
	if (rc < 0) {
		drop_temp(p, temp);
		return explain_unlaid(path, e);
	}
	if (land(p, temp, path, e) < 0)
		return -1;
	return stamp_at(l->dirfd, path, st, e);
}

/* The same; *st is what stands there now and then what stands there after. */
static int make_real(const struct project *p, const struct lay *l, const char *path,
		     const struct ref *value, struct stat *st, struct err *e)
{
	int swapped = 0;

	if (l->mtime && S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	    value->kind != REF_TREE) {
		struct timespec mtime = *l->mtime;
		struct lay own = *l;

		own.mtime = &mtime;
		swapped = swap_real(p, &own, path, value, e);
	}
	if (swapped < 0)
		return explain_unlaid(path, e);
	return swapped ? stamp_at(l->dirfd, path, st, e) : put_real(p, l, path, value, st, e);
}

static int refuse_edited(const char *path, const struct stat *st, struct err *e)
{
	const char *what = S_ISDIR(st->st_mode) ? "directory" :
		S_ISLNK(st->st_mode) ? "link" : "file";

	return err_set(e, ERR_REFUSED, "%s: a %s that gg did not write stands there, and is "
		       "left alone; move it away and force again", path, what);
}

int place_real(struct store *s, const struct project *p, const char *path,
	       const struct placeholder *ph, const struct ref *value,
	       struct id *missing, struct err *e)
{
	struct lay l = { .store = s, .dirfd = p->root_fd, .missing = missing };
	struct ref_record space, *r;
	struct arena a = { 0 };
	enum place_now now = NOW_ABSENT;
	struct stat st;
	bool is_there;
	int rc;

	if (!path_is_plain(path))
		return err_set(e, ERR_REFUSED, "%s: not a path inside the project", path);
	if (value->kind == REF_THUNK)
		return err_set(e, ERR_BAD, "%s: its value is not known yet", path);
	rc = ref_find(s, path, &a, &space, &r, e);
	if (rc == 0)
		rc = look(s, l.dirfd, path, r, &now, &st, e);
	is_there = rc == 0 && now == NOW_REAL && r->state == PLACE_REAL &&
		r->value.kind == value->kind && id_equal(&r->value.id, &value->id);
	if (is_there && id_equal(&r->thunk, &ph->thunk) && strcmp(r->out, ph->out) == 0)
		goto out;
	if (rc == 0 && now == NOW_EDITED) {
		if (!is_same_content(s, l.dirfd, path, value, &st))
			rc = is_remains(s, l.dirfd, path, value, NULL) ? 0 :
				refuse_edited(path, &st, e);
		else if (S_ISDIR(st.st_mode))
			is_there = true;
		else
			is_there = !!(st.st_mode & S_IXUSR) == (value->kind == REF_EXEC);
	}
	if (now == NOW_PLACEHOLDER || now == NOW_OTHER_PLACEHOLDER)
		l.mtime = &st.st_mtim;
	if (rc == 0 && !is_there)
		about_to_put(p, path);
	if (rc == 0 && !is_there)
		rc = make_real(p, &l, path, value, &st, e);
	if (rc == 0)
		rc = note_real(s, path, ph, value, &st, e);
	if (rc == 0)
		store_note_name(s, p->root_fd, path);
out:
	arena_release(&a);
	return rc;
}

int place_touch(struct store *s, const struct project *p, const char *path,
		struct err *e)
{
	struct ref_record r;
	struct arena a = { 0 };
	enum place_now now;
	struct stat st;
	int rc;

	rc = ref_get(s, path, &a, &r, e);
	if (rc == 0)
		rc = look(s, p->root_fd, path, &r, &now, &st, e);
	if (rc == 0 && (r.state != PLACE_REAL || now != NOW_REAL))
		rc = err_set(e, ERR_REFUSED, "%s: not what gg put there", path);
	if (rc == 0 && utimensat(p->root_fd, path, NULL, AT_SYMLINK_NOFOLLOW) < 0)
		rc = err_sys(e, "%s: cannot set its time", path);
	if (rc == 0)
		rc = stamp_at(p->root_fd, path, &st, e);
	if (rc == 0)
		rc = note_real(s, path, &(struct placeholder){ r.thunk, r.out }, &r.value,
			       &st, e);
	arena_release(&a);
	return rc;
}

static int take_away_placeholder(struct store *s, const struct project *p,
				 const char *path, const struct placeholder *ph,
				 struct err *e)
{
	struct ref_record space, *r, gone = { .thunk = ph->thunk, .out = ph->out };
	struct arena a = { 0 };
	enum place_now now = NOW_ABSENT;
	int rc = ref_find(s, path, &a, &space, &r, e);

	if (rc == 0)
		rc = place_look(s, p, path, r, &now, e);
	if (rc == 0 && (now == NOW_PLACEHOLDER || now == NOW_OTHER_PLACEHOLDER))
		rc = dir_remove(p->root_fd, path, e);
	if (rc == 0 && now != NOW_REAL)
		rc = ref_put(s, path, &gone, e);
	arena_release(&a);
	return rc;
}

int place_left(struct store *s, const struct project *p, const char *path,
	       const struct placeholder *ph, const struct ref *value, struct err *e)
{
	struct id missing;
	struct stat st;

	about_to_put(p, path);
	if (!value || value->kind == REF_THUNK)
		return take_away_placeholder(s, p, path, ph, e);
	if (place_placeholder(s, p, path, ph, value->kind == REF_TREE, false, e) < 0 ||
	    place_real(s, p, path, ph, value, &missing, e) < 0 ||
	    stamp_at(p->root_fd, path, &st, e) < 0)
		return -1;
	return note_value(s, path, ph, PLACE_LEFT, value, &st, e);
}

int place_back(struct store *s, const struct project *p, const char *path,
	       const struct ref_record *r, struct err *e)
{
	const struct placeholder ph = { r->thunk, r->out };
	const struct timespec mtime = { .tv_sec = r->stamp.mtime_ns / 1000000000,
					.tv_nsec = r->stamp.mtime_ns % 1000000000 };
	struct lay l = { .store = s, .dirfd = p->root_fd, .mtime = &mtime };
	struct stat st;

	litter_note(p, path);
	if (put_real(p, &l, path, &r->value, &st, e) < 0)
		return -1;
	store_note_name(s, p->root_fd, path);
	return note_value(s, path, &ph, r->state, &r->value, &st, e);
}
