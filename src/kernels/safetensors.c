/* safetensors.c - named arrays in a file
 *
 * Nothing of the header is believed: each tensor must lie where the one before
 * it ends, have the size that type and shape say, and all must fill the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "tensors.h"

enum { HEADER_MAX = 64 << 20, ALIGN = 64, LENGTH_BYTES = 8 };

static const struct {
	const char *name;
	size_t bytes;
} dtypes[DT_COUNT] = {
	[DT_F32] = { "F32", 4 }, [DT_F64] = { "F64", 8 }, [DT_U8] = { "U8", 1 },
	[DT_I32] = { "I32", 4 }, [DT_I64] = { "I64", 8 }, [DT_BOOL] = { "BOOL", 1 },
};

size_t dtype_bytes(enum dtype t)
{
	return dtypes[t].bytes;
}

/* One tensor and where it says it lies. */
struct place {
	struct tensor t;
	size_t from, to;
};

static int bad(const char *path, struct err *e, const char *what, const char *name)
{
	return err_set(e, ERR_BAD, "%s: no safetensors file that can be used: %s%s%s", path,
		       what, name ? " " : "", name ? name : "");
}

static int read_size(const json_t *v, size_t *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return -1;
	*out = (size_t)json_integer_value(v);
	return 0;
}

static bool read_type(const char *s, enum dtype *out)
{
	for (int i = 0; s && i < DT_COUNT; i++)
		if (strcmp(s, dtypes[i].name) == 0) {
			*out = (enum dtype)i;
			return true;
		}
	return false;
}

static int read_place(const char *path, const char *name, json_t *o, struct place *out,
		      struct err *e)
{
	json_t *dims = json_object_get(o, "shape"), *at = json_object_get(o, "data_offsets");
	struct tensor *t = &out->t;

	t->n = 1;
	if (!read_type(json_string_value(json_object_get(o, "dtype")), &t->type))
		return bad(path, e, "a type that is not F32, F64, U8, I32, I64 or BOOL in", name);
	t->n_dims = json_array_size(dims);
	if (!json_is_array(dims) || t->n_dims > sizeof t->dims / sizeof *t->dims)
		return bad(path, e, "the shape is wrong of", name);
	for (size_t i = 0; i < t->n_dims; i++)
		if (read_size(json_array_get(dims, i), &t->dims[i]) < 0 ||
		    __builtin_mul_overflow(t->n, t->dims[i], &t->n))
			return bad(path, e, "the shape is wrong of", name);
	if (json_array_size(at) != 2 || read_size(json_array_get(at, 0), &out->from) < 0 ||
	    read_size(json_array_get(at, 1), &out->to) < 0 || out->from > out->to ||
	    t->n > SIZE_MAX / 8 || out->to - out->from != t->n * dtype_bytes(t->type))
		return bad(path, e, "shape and place do not agree of", name);
	return 0;
}

static int read_remarks(struct tensors *t, json_t *o, struct err *e)
{
	const char *name;
	json_t *v;

	t->remarks = arena_alloc(&t->a, (json_object_size(o) + 1) * sizeof *t->remarks);
	json_object_foreach(o, name, v) {
		if (!json_is_string(v))
			return bad(t->path, e, "a remark is no text:", name);
		t->remarks[t->n_remarks++] = (struct remark){
			arena_str(&t->a, name), arena_str(&t->a, json_string_value(v)),
		};
	}
	return 0;
}

static int compare_places(const void *x, const void *y)
{
	const struct place *a = x, *b = y;

	return a->from != b->from ? (a->from < b->from ? -1 : 1) :
	       a->to != b->to ? (a->to < b->to ? -1 : 1) : strcmp(a->t.name, b->t.name);
}

static int compare_tensors(const void *x, const void *y)
{
	return strcmp(((const struct tensor *)x)->name, ((const struct tensor *)y)->name);
}

static int read_tensors(struct tensors *t, json_t *root, struct bytes data, struct err *e)
{
	struct place *v = arena_alloc(&t->a, (json_object_size(root) + 1) * sizeof *v);
	const char *name;
	size_t end = 0;
	json_t *o;

	json_object_foreach(root, name, o) {
		v[t->n] = (struct place){ .t.name = arena_str(&t->a, name) };
		if (strcmp(name, "__metadata__") == 0) {
			if (read_remarks(t, o, e) < 0)
				return -1;
			continue;
		}
		if (read_place(t->path, name, o, &v[t->n], e) < 0)
			return -1;
		t->n++;
	}
	qsort(v, t->n, sizeof *v, compare_places);
	t->v = arena_alloc(&t->a, (t->n + 1) * sizeof *t->v);
	for (size_t i = 0; i < t->n; i++) {
		if (v[i].from != end || v[i].to > data.n)
			return bad(t->path, e, "the bytes do not lie one after another at",
				   v[i].t.name);
		end = v[i].to;
		v[i].t.data = data.p + v[i].from;
		if ((uintptr_t)v[i].t.data % dtype_bytes(v[i].t.type))
			return bad(t->path, e, "the bytes are not aligned of", v[i].t.name);
		t->v[i] = v[i].t;
	}
	if (end != data.n)
		return bad(t->path, e, "its length is not what the header says", NULL);
	qsort(t->v, t->n, sizeof *t->v, compare_tensors);
	return 0;
}

int tensors_read(struct bytes file, const char *path, struct tensors *out, struct err *e)
{
	json_error_t why;
	uint64_t n = 0;
	json_t *root;
	int rc;

	*out = (struct tensors){ .path = path };
	for (size_t i = LENGTH_BYTES; i > 0 && file.n >= LENGTH_BYTES; i--)
		n = n << 8 | (unsigned char)file.p[i - 1];
	if (file.n < LENGTH_BYTES || n > HEADER_MAX || n > file.n - LENGTH_BYTES)
		return bad(path, e, "it is shorter than its header says", NULL);
	root = json_loadb(file.p + LENGTH_BYTES, n, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(root)) {
		json_decref(root);
		return bad(path, e, "the header is no JSON object", NULL);
	}
	rc = read_tensors(out, root, (struct bytes){ file.p + LENGTH_BYTES + n,
						     file.n - LENGTH_BYTES - n }, e);
	json_decref(root);
	if (rc < 0)
		arena_release(&out->a);
	return rc;
}

int tensors_open(const char *path, struct tensors *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	*out = (struct tensors){ 0 };
	if (fd < 0)
		return errno == ENOENT ? err_set(e, ERR_MISSING, "%s is not there", path) :
		       err_sys(e, "cannot read %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		close(fd);
		return bad(path, e, "it is empty or no file", NULL);
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		err_sys(e, "cannot read %s", path);
		close(fd);
		return -1;
	}
	close(fd);
	if (tensors_read((struct bytes){ p, (size_t)st.st_size }, path, out, e) < 0) {
		munmap(p, (size_t)st.st_size);
		return -1;
	}
	out->path = arena_str(&out->a, path);
	out->map = p;
	out->map_bytes = (size_t)st.st_size;
	return 0;
}

void tensors_close(struct tensors *t)
{
	if (t->map)
		munmap(t->map, t->map_bytes);
	arena_release(&t->a);
	*t = (struct tensors){ 0 };
}

const struct tensor *tensors_find(const struct tensors *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i].name, name) == 0)
			return &t->v[i];
	return NULL;
}

const char *tensors_remark(const struct tensors *t, const char *name)
{
	for (size_t i = 0; i < t->n_remarks; i++)
		if (strcmp(t->remarks[i].name, name) == 0)
			return t->remarks[i].value;
	return NULL;
}

const struct tensor *tensors_want(const struct tensors *t, const char *name,
				  enum dtype type, size_t n_dims, struct err *e)
{
	const struct tensor *v = tensors_find(t, name);

	if (!v) {
		err_set(e, ERR_BAD, "%s: it holds no tensor called %s", t->path, name);
		return NULL;
	}
	if (v->type == type && (n_dims == 0 || v->n_dims == n_dims))
		return v;
	err_set(e, ERR_BAD, "%s: %s is %s of %zu dimensions, not %s of %zu", t->path, name,
		dtypes[v->type].name, v->n_dims, dtypes[type].name, n_dims);
	return NULL;
}

static json_t *describe(const struct tensor *t, size_t at)
{
	json_t *dims = json_array();

	for (size_t i = 0; i < t->n_dims; i++)
		json_array_append_new(dims, json_integer((json_int_t)t->dims[i]));
	return json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtypes[t->type].name, "shape", dims,
			 "data_offsets", (json_int_t)at,
			 (json_int_t)(at + t->n * dtype_bytes(t->type)));
}

static json_t *describe_remarks(const struct remark *v, size_t n)
{
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(o, v[i].name, json_string(v[i].value));
	return o;
}

/* Larger elements first, so that each is aligned; then by name. */
static int compare_places_to_be(const void *x, const void *y)
{
	const struct tensor *a = x, *b = y;
	size_t m = dtype_bytes(a->type), n = dtype_bytes(b->type);

	return m != n ? (m > n ? -1 : 1) : strcmp(a->name, b->name);
}

static void add_header(struct buf *out, json_t *root)
{
	char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	size_t n = strlen(text), full = n;
	unsigned char length[LENGTH_BYTES];

	while ((full + LENGTH_BYTES) % ALIGN)
		full++;
	for (int i = 0; i < LENGTH_BYTES; i++)
		length[i] = (unsigned char)((uint64_t)full >> 8 * i);
	buf_add(out, length, sizeof length);
	buf_add(out, text, n);
	for (; n < full; n++)
		buf_char(out, ' ');
	free(text);
}

int tensors_write(const char *path, const struct tensor *v, size_t n,
		  const struct remark *remarks, size_t n_remarks, struct err *e)
{
	struct tensor *sorted = mem_alloc((n + 1) * sizeof *sorted);
	json_t *root = json_object();
	struct buf out = { 0 };
	size_t at = 0;
	int rc;

	memcpy(sorted, v, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, compare_places_to_be);
	for (size_t i = 0; i < n; i++) {
		json_object_set_new(root, sorted[i].name, describe(&sorted[i], at));
		at += sorted[i].n * dtype_bytes(sorted[i].type);
	}
	if (n_remarks)
		json_object_set_new(root, "__metadata__", describe_remarks(remarks, n_remarks));
	add_header(&out, root);
	for (size_t i = 0; i < n; i++)
		buf_add(&out, sorted[i].data, sorted[i].n * dtype_bytes(sorted[i].type));
	rc = file_put(path, buf_bytes(&out), FILE_SYNC, e);
	json_decref(root);
	buf_release(&out);
	free(sorted);
	return rc;
}
