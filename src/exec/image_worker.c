/* image_worker.c - gg itself in an image, with its own loader and libraries
 *
 * A worker that is one static program needs nothing but itself.  For another the
 * closure's libc may not be the one that it was built with, or there may be
 * none, so that it has all it needs beside it: the copy names /opt/gg/ld.so as
 * its interpreter (a shorter name than the usual one, put in its place), and that
 * loader finds the libraries by the program's own search path, $ORIGIN/lib.
 * What gg starts knows nothing of either.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "image_private.h"
#include "model.h"

#define FOLDER "opt/gg"

enum { PROGRAM_MAX = 256 << 20 };

/* The place of the interpreter's name in a program, n bytes; 0 if it has
 * none. */
static size_t find_interpreter(struct bytes b, size_t *n)
{
	Elf64_Ehdr h;
	Elf64_Phdr p;

	if (b.n < sizeof h)
		return 0;
	memcpy(&h, b.p, sizeof h);
	for (size_t i = 0; i < h.e_phnum; i++) {
		size_t at = h.e_phoff + i * sizeof p;

		if (at > b.n || sizeof p > b.n - at)
			return 0;
		memcpy(&p, b.p + at, sizeof p);
		if (p.p_type == PT_INTERP && p.p_offset < b.n &&
		    p.p_filesz <= b.n - p.p_offset) {
			*n = p.p_filesz;
			return p.p_offset;
		}
	}
	return 0;
}

static int add_program(struct image_files *fs, const char *self, bool *has_loader,
		       struct err *e)
{
	static const char loader[] = "/" FOLDER "/ld.so";
	struct image_file *f = image_files_add(fs, FOLDER "/gg", IMAGE_FILE);
	size_t at, n = 0;

	if (file_read(AT_FDCWD, self, PROGRAM_MAX, fs->a, &f->text, e) < 0)
		return err_wrap(e, "the worker");
	at = find_interpreter(f->text, &n);
	*has_loader = at > 0;
	if (at && n < sizeof loader)
		return err_set(e, ERR_REFUSED, "%s: no room for another loader's name in it",
			       self);
	if (at) {
		memset((char *)f->text.p + at, 0, n);
		memcpy((char *)f->text.p + at, loader, sizeof loader);
	}
	f->mode = 0755;
	f->n_bytes = f->text.n;
	return 0;
}

static bool is_loader(const char *path)
{
	return strncmp(path_base(path), "ld-linux", 8) == 0;
}

static int add_library(struct image_files *fs, const char *path, struct err *e)
{
	const char *to = is_loader(path) ? FOLDER "/ld.so" :
			 arena_printf(fs->a, FOLDER "/lib/%s", path_base(path));
	struct image_file *f;
	struct stat st;

	for (size_t i = 0; i < fs->n; i++)
		if (strcmp(fs->v[i].path, to) == 0)
			return 0;
	if (stat(path, &st) < 0)
		return err_sys(e, "the worker's library %s", path);
	f = image_files_add(fs, to, IMAGE_FILE);
	f->mode = is_loader(path) ? 0755 : 0644;
	f->host = arena_str(fs->a, path);
	f->n_bytes = (uint64_t)st.st_size;
	return 0;
}

static int by_id(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct id));
}

static void add_text(struct image_files *fs, const char *path, struct bytes text)
{
	struct image_file *f = image_files_add(fs, path, IMAGE_FILE);

	f->text = arena_bytes(fs->a, text);
	f->n_bytes = text.n;
}

static void add_closures(struct image_files *fs, const struct image_opts *o)
{
	struct id *ids = arena_alloc(fs->a, (o->n_closures + 1) * sizeof *ids);
	struct buf b = { 0 };

	if (o->n_closures)
		memcpy(ids, o->closures, o->n_closures * sizeof *ids);
	qsort(ids, o->n_closures, sizeof *ids, by_id);
	buf_str(&b, "");
	for (size_t i = 0; i < o->n_closures; i++)
		buf_printf(&b, "%s\n", id_hex(&ids[i]).s);
	add_text(fs, &IMAGE_CLOSURES[1], buf_bytes(&b));
	buf_release(&b);
}

int image_worker_add(struct image_files *fs, const struct image_opts *o,
		     struct bytes trees, struct err *e)
{
	struct strs files = { 0 };
	bool has_loader = false;
	int rc;

	image_files_add(fs, "opt", IMAGE_DIR);
	image_files_add(fs, FOLDER, IMAGE_DIR);
	add_closures(fs, o);
	add_text(fs, &IMAGE_TREES[1], trees);
	rc = add_program(fs, o->self, &has_loader, e);
	if (rc < 0 || !has_loader)
		return rc;
	image_files_add(fs, FOLDER "/lib", IMAGE_DIR);
	system_files(o->self, (struct bytes){ 0 }, "", fs->a, &files);
	for (size_t i = 0; o->opened && o->opened[i]; i++)
		system_files(o->opened[i], (struct bytes){ 0 }, "", fs->a, &files);
	for (size_t i = 0; i < files.n && rc == 0; i++)
		if (strcmp(files.v[i], o->self) != 0)
			rc = add_library(fs, files.v[i], e);
	strs_release(&files);
	return rc;
}
