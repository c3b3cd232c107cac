/* image.c - the archive of an image, written once from front to end
 *
 * A blob's name is the hash of bytes that are not yet known when its place in
 * the archive begins.  So a layer is compressed straight into the archive,
 * and the block before it, left empty, is written when it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "closure.h"
#include "file.h"
#include "image_private.h"

enum { READ_BYTES = 1 << 20 };

struct making {
	const struct image_opts *o;
	struct arena *a;
	struct image *m;
	struct image_files files;
	struct squeeze *squeeze;
	struct buf head;                /* of the next entry of a layer */
	char *in;                       /* READ_BYTES */
	int fd;
};

/* ---- the outer archive */

static struct tar_entry blob_entry(struct making *k, const struct image_blob *b)
{
	return (struct tar_entry){
		.path = arena_printf(k->a, "blobs/sha256/%s", id_hex(&b->id).s),
		.type = '0', .mode = 0644, .n_bytes = b->n_bytes,
	};
}

static int append(struct making *k, struct bytes b, struct err *e)
{
	return file_write_fd(k->fd, b.p, b.n) < 0 ? err_sys(e, "writing the image") : 0;
}

static int add_folder(struct making *k, const char *path, struct err *e)
{
	struct buf b = { 0 };
	int rc;

	tar_header(&(struct tar_entry){ .path = path, .type = '5', .mode = 0755 }, &b);
	rc = append(k, buf_bytes(&b), e);
	buf_release(&b);
	return rc;
}

/* A file of the layout whose bytes are at hand; where they begin. */
static int add_text(struct making *k, const char *path, struct bytes text,
		    uint64_t *offset, struct err *e)
{
	struct tar_entry t = { .path = path, .type = '0', .mode = 0644, .n_bytes = text.n };
	struct buf b = { 0 };
	off_t at = lseek(k->fd, 0, SEEK_CUR);
	int rc;

	tar_header(&t, &b);
	*offset = (uint64_t)at + b.n;
	buf_add(&b, text.p, text.n);
	tar_pad(text.n, &b);
	rc = at < 0 ? err_sys(e, "writing the image") : append(k, buf_bytes(&b), e);
	buf_release(&b);
	return rc;
}

static int add_blob(struct making *k, struct bytes text, struct image_blob *b,
		    struct err *e)
{
	b->id = id_of(text);
	b->n_bytes = text.n;
	return add_text(k, blob_entry(k, b).path, text, &b->offset, e);
}

/* ---- one layer */

/* Bytes of a file that must be n long, not more nor less. */
static int add_fd(struct making *k, const struct image_file *f, int fd, struct err *e)
{
	struct stat before, after;
	struct stamp was, is;
	uint64_t left = f->n_bytes;

	if (fstat(fd, &before) < 0)
		return err_sys(e, "/%s", f->path);
	while (left) {
		ssize_t n = file_read_fd(fd, k->in, left < READ_BYTES ? left : READ_BYTES);

		if (n < 0)
			return err_sys(e, "/%s", f->path);
		if (n == 0)
			break;
		left -= (uint64_t)n;
		if (squeeze_add(k->squeeze, k->in, (size_t)n, e) < 0)
			return -1;
	}
	if (fstat(fd, &after) < 0)
		return err_sys(e, "/%s", f->path);
	was = stamp_of(&before);
	is = stamp_of(&after);
	if (left || (uint64_t)after.st_size != f->n_bytes || !stamp_equal(&was, &is))
		return err_set(e, ERR_RETRY, "/%s changed while the image was made: "
			       "try again", f->path);
	return 0;
}

static int open_file(struct making *k, const struct image_file *f, int *fd,
		     struct err *e)
{
	if (!f->host)
		return closure_open(k->o->store, f->path, &f->id, fd, e);
	*fd = open(f->host, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, "%s", f->host) : 0;
}

static int add_bytes(struct making *k, const struct image_file *f, struct err *e)
{
	int fd, rc;

	if (f->text.p)
		return squeeze_add(k->squeeze, f->text.p, f->text.n, e);
	if (open_file(k, f, &fd, e) < 0)
		return -1;
	rc = add_fd(k, f, fd, e);
	close(fd);
	return rc;
}

static int add_file(struct making *k, const struct image_file *f, struct err *e)
{
	static const char types[] = {
		[IMAGE_DIR] = '5', [IMAGE_FILE] = '0', [IMAGE_LINK] = '2',
	};
	struct tar_entry t = { .path = f->path, .type = types[f->kind], .mode = f->mode,
			       .target = f->target };

	if (f->kind == IMAGE_DIR)
		t.path = arena_printf(k->a, "%s/", f->path);
	if (f->kind == IMAGE_FILE)
		t.n_bytes = f->n_bytes;
	buf_reset(&k->head);
	tar_header(&t, &k->head);
	if (squeeze_add(k->squeeze, k->head.p, k->head.n, e) < 0)
		return -1;
	if (f->kind != IMAGE_FILE)
		return 0;
	buf_reset(&k->head);
	tar_pad(f->n_bytes, &k->head);
	if (add_bytes(k, f, e) < 0)
		return -1;
	return k->head.n ? squeeze_add(k->squeeze, k->head.p, k->head.n, e) : 0;
}

/* In each layer the folders above a file come before it, so that it stands by
 * itself.  The files are in order of path; dirs are those that lead to the
 * place where the walk is. */
static int add_files(struct making *k, unsigned layer, struct err *e)
{
	struct image_files *fs = &k->files;
	const struct image_file **dirs = mem_alloc((fs->n + 1) * sizeof *dirs);
	size_t n_dirs = 0, n_told = 0;
	int rc = 0;

	for (size_t i = 0; i < fs->n && rc == 0; i++) {
		const struct image_file *f = &fs->v[i];

		while (n_dirs && !path_is_below(dirs[n_dirs - 1]->path, f->path))
			n_dirs--;
		n_told = n_told < n_dirs ? n_told : n_dirs;
		if (f->layer == layer) {
			for (; n_told < n_dirs && rc == 0; n_told++)
				rc = add_file(k, dirs[n_told], e);
			if (rc == 0)
				rc = add_file(k, f, e);
		}
		if (f->kind == IMAGE_DIR) {
			n_told += n_told == n_dirs && f->layer == layer;
			dirs[n_dirs++] = f;
		}
	}
	free(dirs);
	return rc;
}

static int add_layer(struct making *k, unsigned layer, const char *what,
		     struct image_blob *b, struct err *e)
{
	off_t at = lseek(k->fd, 0, SEEK_CUR);
	struct tar_entry t;

	if (at < 0 || lseek(k->fd, TAR_BLOCK, SEEK_CUR) < 0)
		return err_sys(e, "writing the image");
	squeeze_begin(k->squeeze, k->fd);
	if (add_files(k, layer, e) < 0)
		return -1;
	buf_reset(&k->head);
	tar_end(&k->head);
	if (squeeze_add(k->squeeze, k->head.p, k->head.n, e) < 0 ||
	    squeeze_end(k->squeeze, b, e) < 0)
		return -1;
	b->offset = (uint64_t)at + TAR_BLOCK;
	b->what = what;
	b->type = arena_printf(k->a, OCI_LAYER_TYPE "%s", squeeze_suffix(k->o->squeeze));
	t = blob_entry(k, b);
	buf_reset(&k->head);
	tar_header(&t, &k->head);
	if (pwrite(k->fd, k->head.p, TAR_BLOCK, at) != TAR_BLOCK)
		return err_sys(e, "writing the image");
	buf_reset(&k->head);
	tar_pad(b->n_bytes, &k->head);
	return k->head.n ? append(k, buf_bytes(&k->head), e) : 0;
}

/* ---- the whole */

static int add_layers(struct making *k, struct err *e)
{
	struct image *m = k->m;
	struct image_layer *layers;
	bool *has_files;
	size_t n;

	layers = layers_make(&k->files, &n);
	has_files = arena_alloc(k->a, n * sizeof *has_files);
	for (size_t i = 0; i < k->files.n; i++)
		has_files[k->files.v[i].layer] = true;
	m->blobs = arena_alloc(k->a, (n + 1) * sizeof *m->blobs);
	for (size_t i = 0; i < n; i++)
		if (has_files[i] && add_layer(k, (unsigned)i, layers[i].what,
					      &m->blobs[m->n++], e) < 0)
			return -1;
	return 0;
}

static int add_texts(struct making *k, struct err *e)
{
	struct image *m = k->m;
	struct image_blob *config = &m->blobs[m->n];
	struct buf end = { 0 };
	uint64_t ignored;
	int rc;

	config->type = OCI_CONFIG_TYPE;
	if (add_blob(k, oci_config(m, k->o, k->a), config, e) < 0)
		return -1;
	m->n++;
	m->manifest_text = oci_manifest(m, k->a);
	m->manifest.type = OCI_MANIFEST_TYPE;
	if (add_blob(k, m->manifest_text, &m->manifest, e) < 0 ||
	    add_text(k, "index.json", oci_index(m, k->o->name, k->a), &ignored, e) < 0 ||
	    add_text(k, "oci-layout", bytes_str("{\"imageLayoutVersion\":\"1.0.0\"}"),
		     &ignored, e) < 0)
		return -1;
	tar_end(&end);
	rc = append(k, buf_bytes(&end), e);
	buf_release(&end);
	return rc;
}

int image_write(const struct image_opts *o, int fd, struct arena *a,
		struct image *out, struct err *e)
{
	struct making k = { .o = o, .a = a, .m = out, .files.a = a, .fd = fd };
	int rc;

	*out = (struct image){ .n = 0 };
	k.squeeze = squeeze_new(o->squeeze, o->n_threads);
	k.in = mem_alloc(READ_BYTES);
	rc = image_files_make(&k.files, o, e);
	if (rc == 0)
		rc = add_folder(&k, "blobs/", e);
	if (rc == 0)
		rc = add_folder(&k, "blobs/sha256/", e);
	if (rc == 0)
		rc = add_layers(&k, e);
	if (rc == 0)
		rc = add_texts(&k, e);
	squeeze_free(k.squeeze);
	buf_release(&k.head);
	free(k.files.v);
	free(k.in);
	return rc;
}
