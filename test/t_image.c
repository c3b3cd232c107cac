/* Images keep the promises of image.h.  Their layers are read back by tar. */
#include "image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "test.h"

static struct store *store;
static struct arena arena;
static struct err e;
static char dir[] = "/tmp/gg-image-XXXXXX";
static char self[4096];

static struct id put(const char *p, size_t n)
{
	struct id id;

	MUST(store_put(store, (struct bytes){ p, n }, &id, &e), e);
	return id;
}

/* n bytes that compress a little, other ones for each seed. */
static struct id heavy(size_t n, unsigned seed)
{
	char *p = mem_alloc(n);
	struct id id;

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245u + 12345u;
		p[i] = (char)(seed >> 16 & 63);
	}
	id = put(p, n);
	free(p);
	return id;
}

static struct id tree_of(struct entry *v, size_t n)
{
	struct tree t = { v, n };
	struct buf b = { 0 };
	struct id id;

	tree_sort(&t);
	MUST(tree_encode(&t, &b, &e), e);
	id = put(b.p, b.n);
	buf_release(&b);
	return id;
}

static struct entry file(const char *name, struct id id)
{
	return (struct entry){ .name = name, .kind = ENTRY_FILE, .id = id };
}

static struct entry folder(const char *name, struct entry *v, size_t n)
{
	return (struct entry){ .name = name, .kind = ENTRY_TREE, .id = tree_of(v, n) };
}

#define FOLDER(name, ...) \
	folder(name, (struct entry[]){ __VA_ARGS__ }, \
	       sizeof((struct entry[]){ __VA_ARGS__ }) / sizeof(struct entry))

/* A root with two heavy packages, a light one, a link and an odd name. */
static struct id closure(unsigned light)
{
	char text[40];
	struct entry sh = file("sh", put("#!\n", 3));
	struct entry link = { .name = "lib", .kind = ENTRY_LINK, .target = "usr/lib" };
	struct entry packages, usr;

	sh.kind = ENTRY_EXEC;
	snprintf(text, sizeof text, "light = %u\n", light);
	packages = FOLDER("dist-packages",
		FOLDER("torch", file("core.so", heavy(12 << 20, 1)),
		       file("__init__.py", put("", 0))),
		FOLDER("torch-1.dist-info", file("META", put("1", 1))),
		FOLDER("numpy", file("n.so", heavy(9 << 20, 2))),
		FOLDER("light", file("__init__.py", put(text, strlen(text)))));
	usr = FOLDER("usr", FOLDER("bin", sh), FOLDER("lib", FOLDER("python3", packages)),
		     FOLDER("empty", file("a\nb \xff", put("odd", 3))),
		     FOLDER("a-name-that-is-so-long-that-no-header-of-an-archive-holds-it-whole",
			    FOLDER("and-goes-on-in-a-folder-below-whose-name-is-no-shorter-at-all",
				   file("until-the-file-is-reached-and-the-path-has-left-all-bounds-"
					"that-were-set-in-1979-behind-and-still-does-not-come-to-its-end",
					put("deep", 4)))));
	return tree_of((struct entry[]){ link, usr }, 2);
}

static int make(struct image_opts o, struct image *m)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "%s/XXXXXX", dir);
	fd = mkstemp(path);
	unlink(path);
	o.store = store;
	o.self = o.self ? o.self : self;
	if (image_write(&o, fd, &arena, m, &e) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int must_make(struct image_opts o, struct image *m)
{
	int fd = make(o, m);

	MUST(fd, e);
	return fd;
}

static bool same_layer(const struct image_blob *a, const struct image_blob *b)
{
	return id_equal(&a->id, &b->id);
}

static const struct image_blob *layer(const struct image *m, const char *what)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->blobs[i].what && strcmp(m->blobs[i].what, what) == 0)
			return &m->blobs[i];
	return NULL;
}

/* What command prints when it gets the layer's bytes, uncompressed. */
static char *through(int fd, const struct image_blob *b, const char *command)
{
	char *bytes = arena_alloc(&arena, b->n_bytes + 1), line[4200], path[64];
	struct bytes said;
	FILE *f;

	CHECK(pread(fd, bytes, b->n_bytes, (off_t)b->offset) == (ssize_t)b->n_bytes);
	snprintf(path, sizeof path, "%s/said", dir);
	snprintf(line, sizeof line, "%s >%s 2>&1", command, path);
	f = popen(line, "w");
	CHECK(fwrite(bytes, 1, b->n_bytes, f) == b->n_bytes);
	CHECK(pclose(f) == 0);
	MUST(file_read(AT_FDCWD, path, 1 << 20, &arena, &said, &e), e);
	return arena_strn(&arena, said.p, said.n);
}

static void same_bytes(void)
{
	struct id one = closure(1);
	struct image_opts o = { .closures = &one, .n_closures = 1, .n_threads = 1 };
	struct image m[3];
	int fds[3];

	fds[0] = must_make(o, &m[0]);
	o.n_threads = 7;
	fds[1] = must_make(o, &m[1]);
	CHECK(id_equal(&m[0].manifest.id, &m[1].manifest.id));
	CHECK(lseek(fds[0], 0, SEEK_END) == lseek(fds[1], 0, SEEK_END));
	o.squeeze = IMAGE_GZIP;
	fds[2] = must_make(o, &m[2]);
	CHECK(!id_equal(&m[0].manifest.id, &m[2].manifest.id));
	for (size_t i = 0; i < m[0].n; i++)
		CHECK(id_equal(&m[0].blobs[i].raw_id, &m[2].blobs[i].raw_id));
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void blobs_are_named(void)
{
	struct id one = closure(1);
	struct image m;
	int fd = must_make((struct image_opts){ .closures = &one, .n_closures = 1 }, &m);

	for (size_t i = 0; i <= m.n; i++) {
		const struct image_blob *b = i < m.n ? &m.blobs[i] : &m.manifest;
		char *p = arena_alloc(&arena, b->n_bytes + 1);
		struct id id;

		CHECK(pread(fd, p, b->n_bytes, (off_t)b->offset) == (ssize_t)b->n_bytes);
		id = id_of((struct bytes){ p, b->n_bytes });
		CHECK(id_equal(&id, &b->id));
	}
	for (size_t i = 0; i + 1 < m.n; i++) {
		char *said = through(fd, &m.blobs[i], "zstd -dc | sha256sum");

		CHECK(strncmp(said, id_hex(&m.blobs[i].raw_id).s, ID_HEX) == 0);
	}
	close(fd);
}

static void layers_are_shared(void)
{
	struct id both[2] = { closure(1), closure(2) };
	struct image a, b, ab;
	int fds[3];

	fds[0] = must_make((struct image_opts){ .closures = both, .n_closures = 1 }, &a);
	fds[1] = must_make((struct image_opts){ .closures = both + 1, .n_closures = 1 }, &b);
	CHECK(a.n == 5 && b.n == 5);
	CHECK_STR(a.blobs[0].what, "usr/lib/python3/dist-packages/torch");
	CHECK_STR(a.blobs[1].what, "usr/lib/python3/dist-packages/numpy");
	CHECK(same_layer(&a.blobs[0], &b.blobs[0]) && same_layer(&a.blobs[1], &b.blobs[1]));
	CHECK(!same_layer(&a.blobs[2], &b.blobs[2]));
	/* Two that contradict each other do not go into one. */
	fds[2] = make((struct image_opts){ .closures = both, .n_closures = 2 }, &ab);
	CHECK(fds[2] < 0 && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "/usr/lib/python3/dist-packages/light/__init__.py") != NULL);
	close(fds[0]);
	close(fds[1]);
}

static void what_is_in_it(void)
{
	struct id one = closure(1);
	struct image m;
	int fd = must_make((struct image_opts){ .closures = &one, .n_closures = 1 }, &m);
	char *rest = through(fd, layer(&m, "the rest of the closures"),
			     "zstd -dc | tar -tv --numeric-owner --utc --full-time");
	char *torch = through(fd, &m.blobs[0], "zstd -dc | tar -t");
	char *gg = through(fd, layer(&m, "gg"), "zstd -dc | tar -tv --numeric-owner");

	CHECK_STR(torch, "usr/\nusr/lib/\nusr/lib/python3/\nusr/lib/python3/dist-packages/\n"
		  "usr/lib/python3/dist-packages/torch/\n"
		  "usr/lib/python3/dist-packages/torch/__init__.py\n"
		  "usr/lib/python3/dist-packages/torch/core.so\n");
	CHECK(strstr(rest, "drwxrwxrwt 0/0               0 1970-01-01 00:00:01 tmp/\n"));
	CHECK(strstr(rest, "lrwxrwxrwx 0/0               0 1970-01-01 00:00:01 lib -> usr/lib"));
	CHECK(strstr(rest, "-rwxr-xr-x 0/0               3 1970-01-01 00:00:01 usr/bin/sh\n"));
	CHECK(strstr(rest, " proc/\n") && strstr(rest, " dev/\n") && strstr(rest, " sys/\n"));
	CHECK(strstr(rest, " etc/passwd\n") && strstr(rest, "usr/empty/a\\nb \\377\n"));
	CHECK(strstr(rest, "behind-and-still-does-not-come-to-its-end\n"));
	CHECK(strstr(rest, "torch-1.dist-info/META\n") && !strstr(rest, "torch/core.so"));
	CHECK(!strstr(rest, "opt/gg") && !strstr(torch, "opt/gg"));
	CHECK(strstr(gg, " opt/gg/gg\n") && strstr(gg, " opt/gg/ld.so\n"));
	CHECK(strstr(gg, " opt/gg/lib/libc.so.6\n") && strstr(gg, " opt/gg/closures\n"));
	CHECK_STR(through(fd, layer(&m, "gg"), "zstd -dc | tar -xO opt/gg/closures"),
		  arena_printf(&arena, "%s\n", id_hex(&one).s));
	close(fd);
}

static void worker_starts(void)
{
	struct image m;
	int fd = must_make((struct image_opts){ .n_closures = 0 }, &m);
	char *ldd;

	CHECK(m.n >= 2);
	/* Unpacked anywhere else it is told its loader by hand. */
	ldd = through(fd, layer(&m, "gg"),
		      arena_printf(&arena, "(mkdir %s/root && cd %s/root && zstd -dc | tar -x && "
				   "opt/gg/ld.so --list --library-path opt/gg/lib opt/gg/gg)",
				   dir, dir));
	CHECK(strstr(ldd, "libcrypto.so.3 => opt/gg/lib/libcrypto.so.3"));
	CHECK(!strstr(ldd, "not found") && !strstr(ldd, "=> /"));
	close(fd);
}

static void something_is_gone(void)
{
	struct id none = id_of(bytes_str("no such thing"));
	struct id lost = tree_of((struct entry[]){ file("nowhere-at-all", none) }, 1);
	struct image m;

	CHECK(make((struct image_opts){ .closures = &none, .n_closures = 1 }, &m) < 0);
	CHECK(e.code == ERR_MISSING);
	CHECK(make((struct image_opts){ .closures = &lost, .n_closures = 1 }, &m) < 0);
	CHECK(e.code == ERR_MISSING && strstr(e.text, "/nowhere-at-all"));
	CHECK(make((struct image_opts){ .self = "/no/such/gg" }, &m) < 0);
	CHECK(e.code == ERR_MISSING);
}

static void full_disk(void)
{
	struct id one = closure(1);
	struct image m;
	struct image_opts o = { .store = store, .self = self, .closures = &one,
				.n_closures = 1 };
	int fd = open("/dev/full", O_WRONLY);

	CHECK(fd >= 0 && image_write(&o, fd, &arena, &m, &e) < 0 && e.code == ERR_IO);
	close(fd);
}

static const struct test tests[] = {
	{ "the same closures give the same bytes, by any number of threads", same_bytes },
	{ "every blob has the name of its bytes, before and after compressing", blobs_are_named },
	{ "what is heavy is a layer of its own, shared by images that hold it", layers_are_shared },
	{ "files have the modes, owners, times and names of the closure", what_is_in_it },
	{ "the worker has its own loader and all its libraries", worker_starts },
	{ "what is gone is named", something_is_gone },
	{ "a full disk is an error", full_disk },
	{ 0 }
};

int main(void)
{
	char path[64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int rc;

	if (n < 0 || !mkdtemp(dir))
		return 1;
	snprintf(path, sizeof path, "%s/store", dir);
	MUST(store_open(path, STORE_CREATE, &store, &e), e);
	rc = test_main(tests);
	MUST(store_close(store, &e), e);
	arena_release(&arena);
	dir_remove(AT_FDCWD, dir, &e);
	return rc;
}
