/* Examples as other programs keep them: IDX, npy, CSV, LIBSVM, gzip. */
#include <string.h>
#include <zlib.h>
#include "../include/formats.h"
#include "test.h"

static struct arena a;
static struct err e;

/* A literal, whose bytes may be 0. */
#define BYTES(s) ((struct bytes){ s, sizeof s - 1 })

struct bad_row {
	struct bytes b;
	const char *says;
};

typedef int tensor_reader(struct bytes b, const char *path, struct arena *a,
			  struct tensor *out, struct err *e);

static void refuses(tensor_reader *read, const struct bad_row *v, size_t n)
{
	struct tensor t;

	for (size_t i = 0; i < n; i++) {
		bool is_told = read(v[i].b, "the-file", &a, &t, &e) < 0 && e.code == ERR_BAD &&
			       strstr(e.text, "the-file") && strstr(e.text, v[i].says);

		CHECK(is_told);
		if (!is_told)
			printf("# row %zu: %s\n", i, e.text);
	}
}

static bool holds_floats(const struct tensor *t, const float *want, size_t n)
{
	return t->type == DT_F32 && t->n == n && memcmp(t->data, want, n * sizeof *want) == 0;
}

#define IDX_2X3 "\0\0\x08\2" "\0\0\0\2" "\0\0\0\3"

static void idx(void)
{
	const struct bad_row bad[] = {
		{ BYTES("P5 3 2\n"), "offset 0" },
		{ BYTES("\0\0\x0e\1" "\0\0\0\1" "12345678"), "offset 2" },
		{ BYTES("\0\0\x07\1" "\0\0\0\1" "1"), "offset 2" },
		{ BYTES("\0\0\x08\x09"), "offset 3" },
		{ BYTES("\0\0\x08\2" "\0\0\0\2"), "inside its header" },
		{ BYTES(IDX_2X3 "12345"), "holds 5 bytes of elements, its header says 6" },
		{ BYTES(IDX_2X3 "1234567"), "holds 7 bytes of elements, its header says 6" },
		{ BYTES("\0\0\x08\2" "\xff\xff\xff\xff" "\xff\xff\xff\xff"), "offset 4" },
		{ BYTES("\0\0\x08\3" "\0\0\0\4" "\x80\0\0\0" "\x80\0\0\0"), "offset 8" },
	};
	struct tensor t;

	MUST(idx_read(BYTES(IDX_2X3 "abcdef"), "f", &a, &t, &e), e);
	CHECK(t.type == DT_U8 && t.n == 6 && t.n_dims == 2 && t.dims[0] == 2 && t.dims[1] == 3);
	CHECK(memcmp(t.data, "abcdef", 6) == 0);
	MUST(idx_read(BYTES("\0\0\x0d\1" "\0\0\0\2" "\x3f\x80\0\0" "\xc0\x20\0\0"), "f", &a, &t,
		      &e), e);
	CHECK(holds_floats(&t, (float[]){ 1, -2.5f }, 2));
	MUST(idx_read(BYTES("\0\0\x0c\1" "\0\0\0\2" "\0\0\1\2" "\xff\xff\xff\xff"), "f", &a, &t,
		      &e), e);
	CHECK(t.type == DT_I32 && t.n == 2 &&
	      memcmp(t.data, (int32_t[]){ 258, -1 }, 8) == 0);
	refuses(idx_read, bad, sizeof bad / sizeof *bad);
}

/* The header that says this, with its length before it. */
static struct bytes npy(const char *says, struct bytes data)
{
	struct buf b = { 0 };
	struct bytes out;
	size_t n = strlen(says);

	buf_add(&b, "\x93NUMPY\1\0", 8);
	buf_char(&b, (char)(n & 255));
	buf_char(&b, (char)(n >> 8));
	buf_str(&b, says);
	buf_add(&b, data.p, data.n);
	out = arena_bytes(&a, buf_bytes(&b));
	buf_release(&b);
	return out;
}

static void npy_arrays(void)
{
	static const char fine[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }\n";
	static const float v[] = { 0.5f, -3 };
	const struct bytes data = { (const char *)v, sizeof v };
	const struct bad_row bad[] = {
		{ BYTES("\x93NUMPX\1\0\0\0\0"), "offset 0" },
		{ BYTES("\x93NUMPY\1\0\xff\x7f{}"), "inside its header" },
		{ npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n", data),
		  "little-endian" },
		{ npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }\n", data),
		  "Fortran order" },
		{ npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, x), }\n", data),
		  "shape" },
		{ npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2", data), "shape" },
		{ npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n", data),
		  "holds 8 bytes of elements, its header says 12" },
		{ npy("{'descr': '<f4', 'fortran_order': False, 'shape': "
		      "(4294967296, 4294967296), }\n", data), "shape" },
	};
	struct tensor t;

	MUST(npy_read(npy(fine, data), "f", &a, &t, &e), e);
	CHECK(holds_floats(&t, v, 2) && t.n_dims == 2 && t.dims[0] == 2 && t.dims[1] == 1);
	MUST(npy_read(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", data), "f",
		      &a, &t, &e), e);
	CHECK(t.type == DT_F64 && t.n == 1 && t.n_dims == 0);
	refuses(npy_read, bad, sizeof bad / sizeof *bad);
}

static bool is_table(const struct table *t, size_t n, size_t features, const float *x,
		     const float *y)
{
	return t->n == n && t->features == features &&
	       memcmp(t->x, x, n * features * sizeof *x) == 0 &&
	       (y ? t->y && memcmp(t->y, y, n * sizeof *y) == 0 : !t->y);
}

static bool csv_says(const char *text, const struct csv_opts *o, const char *says)
{
	struct table t;

	return csv_read(bytes_str(text), "f.csv", o, &a, &t, &e) < 0 && e.code == ERR_BAD &&
	       strstr(e.text, says);
}

static void csv(void)
{
	const struct csv_opts last = { .label = "last" }, none = { 0 };
	const struct csv_opts named_one_hot = { .label = "last", .one_hot = true };
	const struct csv_opts targets = { .label = "last", .wants_targets = true };
	const struct csv_opts named = { .label = "kind", .one_hot = true };
	struct table t;

	MUST(csv_read(BYTES("1,2,0\r\n\r\n3,-4e0,1"), "f", &last, &a, &t, &e), e);
	CHECK(is_table(&t, 2, 2, (float[]){ 1, 2, 3, -4 }, (float[]){ 0, 1 }) && !t.n_names);
	/* A header, quotes, commas and line ends within them, a mark of UTF-8. */
	MUST(csv_read(BYTES("\xef\xbb\xbf" "kind,size,\"a \"\"b\"\"\"\n\"cat, \nbig\",1,x\n"
			    "dog,2,y\n\"cat, \nbig\",3,x\n"), "f", &named, &a, &t, &e), e);
	CHECK(is_table(&t, 3, 3, (float[]){ 1, 1, 0, 2, 0, 1, 3, 1, 0 }, (float[]){ 0, 1, 0 }));
	CHECK(t.n_names == 2);
	CHECK_STR(t.names[0], "cat, \nbig");
	CHECK_STR(t.names[1], "dog");
	MUST(csv_read(BYTES("\xef\xbb\xbf" "5,6\n"), "f", &none, &a, &t, &e), e);
	CHECK(is_table(&t, 1, 2, (float[]){ 5, 6 }, NULL));
	/* The first line says what parts them. */
	MUST(csv_read(BYTES("a;b\n5;6\n"), "f", &last, &a, &t, &e), e);
	CHECK(is_table(&t, 1, 1, (float[]){ 5 }, (float[]){ 6 }));
	MUST(csv_read(BYTES("5\t6\n"), "f", &last, &a, &t, &e), e);
	CHECK(is_table(&t, 1, 1, (float[]){ 5 }, (float[]){ 6 }));
	MUST(csv_read(BYTES("\n\"a,b\";c\n5;6\n"), "f", &last, &a, &t, &e), e);
	CHECK(is_table(&t, 1, 1, (float[]){ 5 }, (float[]){ 6 }));
	CHECK(csv_says("1,5;2,5;0\n", &last, "f.csv:1: column 1 is \"1,5\", a word"));
	CHECK(csv_says("1,2\n3;4\n", &last, "f.csv:2: has 1 cells, the first line 2"));
	CHECK(csv_read(BYTES("1,2\n3,\0\n"), "f.csv", &last, &a, &t, &e) < 0 &&
	      strstr(e.text, "f.csv: offset 6: has a byte 0"));
	CHECK(csv_says("", &last, "there is nothing"));
	CHECK(csv_says("1,2\n3\n", &last, "f.csv:2: has 1 cells, the first line 2"));
	CHECK(csv_says("1,2\n3,\"x\n", &last, "f.csv:2: a quoted cell does not end well"));
	CHECK(csv_says("1,2\n3,", &last, "the last line is cut"));
	CHECK(csv_says("1,2\n,4\n", &last, "f.csv:2: column 1 is \"\", no finite number"));
	CHECK(csv_says("1,2\nnan,4\n", &last, "f.csv:2: column 1 is \"nan\", no finite"));
	CHECK(csv_says("1,2\n1e400,4\n", &named_one_hot, "is \"1e400\", no finite"));
	CHECK(csv_says("1,2\n3,-Infinity\n", &last, "column 2 is \"-Infinity\", no finite"));
	CHECK(csv_says("1,2\n3,four\n", &targets, "column 2 is \"four\", no number"));
	CHECK(csv_says("1 2\n3 4\n", &last, "parted by commas, semicolons or tabs"));
	CHECK(csv_says("1,2\nred,4\n", &last, "f.csv:2: column 1 is \"red\", a word"));
	CHECK(csv_says("1,2\n\"r\ne\",4\n", &last, "is \"r e\", a word"));
	CHECK(csv_says("a,b\n1,2\n", &named, "has no column kind"));
}

static bool libsvm_says(const char *text, size_t features, const char *says)
{
	struct table t;

	return libsvm_read(bytes_str(text), "f.svm", features, &a, &t, &e) < 0 &&
	       strstr(e.text, says);
}

static void libsvm(void)
{
	static const char text[] = "+1 1:0.5 3:2 # a remark\n\n-1\t2:1e1\r\n";
	struct table t;

	MUST(libsvm_read(BYTES(text), "f", 0, &a, &t, &e), e);
	CHECK(is_table(&t, 2, 3, (float[]){ 0.5f, 0, 2, 0, 10, 0 }, (float[]){ 1, -1 }));
	MUST(libsvm_read(BYTES(text), "f", 4, &a, &t, &e), e);
	CHECK(is_table(&t, 2, 4, (float[]){ 0.5f, 0, 2, 0, 0, 10, 0, 0 }, (float[]){ 1, -1 }));
	CHECK(libsvm_is(BYTES(text)) && libsvm_is(BYTES("# by whom\n\n# when\n-1 2:1")));
	CHECK(libsvm_is(BYTES("1\n0 2:1")) && libsvm_is(BYTES("2 qid:1 1:0.5\n")) &&
	      !libsvm_is(BYTES("1\n2\n")) && !libsvm_is(BYTES("1 2 3:1\n")));
	CHECK(!libsvm_is(BYTES("12:30;1\n")) && !libsvm_is(BYTES("1,1:2\n")) &&
	      !libsvm_is(BYTES("# 1 1:1")) && !libsvm_is(BYTES("")));
	CHECK(libsvm_says("", 0, "holds no examples"));
	CHECK(libsvm_says("1 1:1\nx 1:1\n", 0, "f.svm:2: does not begin with a label"));
	CHECK(libsvm_says("1 1:1 1:2\n", 0, "f.svm:1: indices must rise"));
	CHECK(libsvm_says("1 0:1\n", 0, "an index is 0, they begin with 1"));
	CHECK(libsvm_says("1 5:1\n", 4, "larger than the number of features"));
	CHECK(libsvm_says("1 2:inf\n", 0, "no finite number"));
	CHECK(libsvm_says("1 2=3\n", 0, "wants INDEX:VALUE"));
}

static struct bytes gzipped(const char *text)
{
	z_stream z = { .next_in = (unsigned char *)text, .avail_in = (unsigned)strlen(text) };
	char *out = arena_alloc(&a, 256);

	if (deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	z.next_out = (unsigned char *)out;
	z.avail_out = 256;
	CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&z);
	return (struct bytes){ out, 256 - z.avail_out };
}

static void gzip(void)
{
	struct bytes one = gzipped("one "), two = gzipped("two"), out;
	struct buf both = { 0 };

	buf_add(&both, one.p, one.n);
	buf_add(&both, two.p, two.n);
	MUST(gzip_open(buf_bytes(&both), "f", 100, &a, &out, &e), e);
	CHECK(bytes_equal(out, BYTES("one two")));
	MUST(gzip_open(BYTES("plain"), "f", 100, &a, &out, &e), e);
	CHECK(bytes_equal(out, BYTES("plain")));
	CHECK(gzip_open((struct bytes){ one.p, one.n - 1 }, "f.gz", 100, &a, &out, &e) < 0 &&
	      strstr(e.text, "f.gz: is damaged or cut"));
	both.p[one.n - 5] ^= 1;         /* of the check sum */
	CHECK(gzip_open(buf_bytes(&both), "f.gz", 100, &a, &out, &e) < 0);
	buf_release(&both);
}

static const struct test tests[] = {
	{ "IDX gives its elements, and what is none is named with its place", idx },
	{ "npy gives its elements, and what is none is named with the remedy", npy_arrays },
	{ "CSV gives examples and classes, and what is none is named with its line", csv },
	{ "LIBSVM likewise", libsvm },
	{ "gzip'ed files are read as what they hold, whole or not at all", gzip },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&a);
	return rc;
}
