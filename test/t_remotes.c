/* Every remote keeps the promises of remote.h: a folder always, and those that
 * GG_TEST_REMOTES names, URIs with spaces between, whose servers a test has
 * started. */
#include "remote.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include "file.h"
#include "test.h"
#include "thunk.h"

enum { LARGE = 40 << 20, MANY = 200 };

static struct loop *loop;
static struct http *http;
static struct arena arena;
static struct err e;
static char dir[] = "/tmp/gg-remotes-XXXXXX";

static const struct remote_ops *ops;
static struct remote *remote;
static char prefix[64];                 /* of all keys of this test */

struct told {
	bool is_done;
	enum err_code code;
	char text[1000];
	struct bytes body;
	uint64_t n_bytes;
	int64_t modified_s;
	bool was_there;
	unsigned n;
};

static void done(struct remote_call *c, const struct remote_answer *a, const struct err *why)
{
	struct told *t = c->arg;

	t->n++;
	t->is_done = true;
	t->code = why ? why->code : ERR_NONE;
	snprintf(t->text, sizeof t->text, "%s", why ? why->text : "");
	t->body = arena_bytes(&arena, a->body);
	t->n_bytes = a->n_bytes;
	t->modified_s = a->modified_s;
	t->was_there = a->was_there;
}

static const char *key(const char *name)
{
	return arena_printf(&arena, "%s%s", prefix, name);
}

static struct told ask(struct remote_call c)
{
	struct told t = { 0 };

	c.done = done;
	c.arg = &t;
	MUST(ops->start(remote, &c, &e), e);
	CHECK(!t.is_done);
	loop_run(loop, &t.is_done);
	CHECK(t.n == 1);
	return t;
}

static struct told put(const char *name, struct bytes b, bool only_new)
{
	return ask((struct remote_call){ .verb = REMOTE_PUT, .key = key(name), .body = b,
					 .only_new = only_new });
}

static struct told get(const char *name)
{
	return ask((struct remote_call){ .verb = REMOTE_GET, .key = key(name) });
}

static struct told verb(enum remote_verb v, const char *name)
{
	return ask((struct remote_call){ .verb = v, .key = key(name) });
}

static struct bytes noise(size_t n, unsigned seed)
{
	char *p = arena_alloc(&arena, n + 1);

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (char)(seed >> 24);
	}
	return (struct bytes){ p, n };
}

static void blobs(void)
{
	static const size_t sizes[] = { 0, 1, 4096, 65536, 65537, 1000000 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const char *name = arena_printf(&arena, "size-%zu", sizes[i]);
		struct bytes b = noise(sizes[i], (unsigned)i + 1);
		struct told t = put(name, b, false);

		CHECK(t.code == ERR_NONE);
		t = verb(REMOTE_HEAD, name);
		CHECK(t.code == ERR_NONE && t.n_bytes == sizes[i]);
		CHECK(!t.modified_s || labs((long)(t.modified_s - time(NULL))) < 3600);
		t = get(name);
		CHECK(t.code == ERR_NONE && bytes_equal(t.body, b));
	}
}

static int temporary(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "%s/XXXXXX", dir);
	fd = mkstemp(path);
	unlink(path);
	return fd;
}

/* From the middle of one file to the middle of another. */
static void large(void)
{
	struct bytes b = noise(LARGE + 10, 9);
	struct http_file from = { .fd = temporary(), .offset = 10, .n_bytes = LARGE };
	struct http_file to = { .fd = temporary(), .offset = 3, .n_bytes = LARGE + 100 };
	struct id was, is;
	struct told t;
	char *back = mem_alloc(LARGE);

	CHECK(file_write_fd(from.fd, b.p, b.n) == 0);
	t = ask((struct remote_call){ .verb = REMOTE_PUT, .key = key("large"), .from = &from });
	CHECK(t.code == ERR_NONE);
	t = verb(REMOTE_HEAD, "large");
	CHECK(t.code == ERR_NONE && t.n_bytes == LARGE);
	t = ask((struct remote_call){ .verb = REMOTE_GET, .key = key("large"), .to = &to });
	CHECK(t.code == ERR_NONE && t.n_bytes == LARGE);
	CHECK(pread(to.fd, back, LARGE, 3) == LARGE);
	was = id_of((struct bytes){ b.p + 10, LARGE });
	is = id_of((struct bytes){ back, LARGE });
	CHECK(id_equal(&was, &is));
	/* No more than there is room for, in a file and in memory. */
	to.n_bytes = 1000;
	t = ask((struct remote_call){ .verb = REMOTE_GET, .key = key("large"), .to = &to });
	CHECK(t.code == ERR_REFUSED);
	t = ask((struct remote_call){ .verb = REMOTE_GET, .key = key("large"),
				      .max_bytes = 1 << 20 });
	CHECK(t.code == ERR_REFUSED && t.n_bytes > 1 << 20);
	t = ask((struct remote_call){ .verb = REMOTE_GET, .key = key("size-4096"),
				      .max_bytes = 4096 });
	CHECK(t.code == ERR_NONE && t.body.n == 4096);
	t = ask((struct remote_call){ .verb = REMOTE_GET, .key = key("size-4096"),
				      .max_bytes = 4095 });
	CHECK(t.code == ERR_REFUSED && t.n_bytes > 4095);
	CHECK(verb(REMOTE_DELETE, "large").code == ERR_NONE);
	close(from.fd);
	close(to.fd);
	free(back);
}

static void absent(void)
{
	CHECK(get("absent").code == ERR_MISSING);
	CHECK(verb(REMOTE_HEAD, "absent").code == ERR_MISSING);
	CHECK(get("absent/below").code == ERR_MISSING);
	CHECK(verb(REMOTE_DELETE, "absent").code == ERR_NONE);
}

static void again(void)
{
	struct told t;

	CHECK(put("again", bytes_str("one"), false).code == ERR_NONE);
	CHECK(put("again", bytes_str("second"), false).code == ERR_NONE);
	CHECK(bytes_equal(get("again").body, bytes_str("second")));
	t = put("again", bytes_str("third!"), true);
	CHECK(t.code == ERR_NONE);
	/* Who can tell leaves it alone, and says so. */
	CHECK(bytes_equal(get("again").body, bytes_str(t.was_there ? "second" : "third!")));
	CHECK(put("again-new", bytes_str("x"), true).code == ERR_NONE);
	CHECK(bytes_equal(get("again-new").body, bytes_str("x")));
	CHECK(verb(REMOTE_DELETE, "again").code == ERR_NONE);
	CHECK(get("again").code == ERR_MISSING);
	CHECK(verb(REMOTE_HEAD, "again").code == ERR_MISSING);
}

static void odd_keys(void)
{
	static const char *const odd[] = {
		"", "/x", "x/", "x//y", "../x", "x/../y", "x/./y", ".x", "x/.y", "X", "x y", "x%2e",
		"x?y", "x\n", "x\\y", "\xc3\xa4",
	};

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct told t = { 0 };
		struct remote_call c = { .verb = REMOTE_PUT, .key = odd[i], .done = done,
					 .arg = &t };

		CHECK(ops->start(remote, &c, &e) < 0 && e.code == ERR_BAD);
	}
	CHECK(!remote_key_is_good(arena_printf(&arena, "%0201d", 0)));
	CHECK(remote_key_is_good(arena_printf(&arena, "%0200d", 0)));
}

/* Many at once, each told of exactly once. */
static void many(void)
{
	struct told t[MANY] = { 0 };
	struct remote_call c[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		const char *k = key(arena_printf(&arena, "many/%u", i));

		c[i] = (struct remote_call){ .verb = REMOTE_PUT, .key = k, .body = noise(i * 7, i),
					     .done = done, .arg = &t[i] };
		MUST(ops->start(remote, &c[i], &e), e);
	}
	for (unsigned i = 0; i < MANY; i++)
		loop_run(loop, &t[i].is_done);
	for (unsigned i = 0; i < MANY; i++) {
		CHECK(t[i].code == ERR_NONE && t[i].n == 1);
		c[i].verb = REMOTE_GET;
		c[i].body = (struct bytes){ 0 };
		t[i] = (struct told){ 0 };
		MUST(ops->start(remote, &c[i], &e), e);
	}
	for (unsigned i = 0; i < MANY; i++)
		loop_run(loop, &t[i].is_done);
	for (unsigned i = 0; i < MANY; i++)
		CHECK(t[i].code == ERR_NONE && bytes_equal(t[i].body, noise(i * 7, i)));
}

struct listed {
	unsigned n, n_stop;
	uint64_t n_bytes;
	bool is_done, is_fine;
};

static int each(struct remote_listing *l, const char *k, uint64_t n_bytes, int64_t modified_s)
{
	struct listed *t = l->arg;

	CHECK(strncmp(k, l->prefix, strlen(l->prefix)) == 0);
	CHECK(modified_s == 0 || labs((long)(modified_s - time(NULL))) < 3600);
	t->n++;
	t->n_bytes += n_bytes;
	return t->n_stop && t->n == t->n_stop;
}

static void list_done(struct remote_listing *l, const struct err *why)
{
	struct listed *t = l->arg;

	CHECK(!t->is_done);
	t->is_done = true;
	t->is_fine = !why;
	if (why)
		printf("# %s\n", why->text);
}

static struct listed list(const char *name, unsigned n_stop)
{
	struct listed t = { .n_stop = n_stop };
	struct remote_listing l = { .prefix = key(name), .each = each, .done = list_done,
				    .arg = &t };

	MUST(ops->list(remote, &l, &e), e);
	loop_run(loop, &t.is_done);
	CHECK(t.is_fine);
	return t;
}

static void listing(void)
{
	struct listed t;

	if (!ops->list)
		return;
	t = list("many/", 0);
	CHECK(t.n == MANY && t.n_bytes == 7ull * MANY * (MANY - 1) / 2);
	CHECK(list("many/1", 0).n == 111);
	CHECK(list("many/", 5).n == 5);
	CHECK(list("none/", 0).n == 0);
	CHECK(list("many", 0).n == MANY);
}

static void cancelled(void)
{
	struct told t[MANY] = { 0 };
	struct remote_call c[MANY];
	struct bytes b = noise(1 << 20, 4);

	for (unsigned i = 0; i < MANY; i++) {
		c[i] = (struct remote_call){ .verb = i % 2 ? REMOTE_GET : REMOTE_PUT,
					     .key = key(arena_printf(&arena, "cut/%u", i / 2)),
					     .body = i % 2 ? (struct bytes){ 0 } : b,
					     .done = done, .arg = &t[i] };
		MUST(ops->start(remote, &c[i], &e), e);
	}
	loop_turn(loop);
	for (unsigned i = 0; i < MANY; i += 3)
		if (!t[i].is_done)
			ops->cancel(remote, &c[i]);
		else
			t[i].n = 0;
	for (unsigned i = 0; i < MANY; i++)
		if (i % 3)
			loop_run(loop, &t[i].is_done);
	for (unsigned i = 0; i < MANY; i++)
		CHECK(t[i].n == (i % 3 != 0));
}

static const char *uri;

static const char *setting(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static void open_remote(void)
{
	struct remote_opts o = { .loop = loop, .http = http, .setting = setting };

	ops = remote_find(uri, &e);
	if (!ops)
		MUST(-1, e);
	MUST(ops->open(&o, uri, &remote, &e), e);
}

static void closed(void)
{
	struct told t[MANY] = { 0 };
	struct remote_call c[MANY];
	struct bytes b = { malloc(1 << 20), 1 << 20 };

	memset((char *)b.p, 'x', b.n);
	for (unsigned i = 0; i < MANY; i++) {
		c[i] = (struct remote_call){ .verb = i % 2 ? REMOTE_GET : REMOTE_PUT,
					     .key = key(arena_printf(&arena, "close/%u", i / 2)),
					     .body = i % 2 ? (struct bytes){ 0 } : b,
					     .done = done, .arg = &t[i] };
		MUST(ops->start(remote, &c[i], &e), e);
	}
	loop_turn(loop);
	for (unsigned i = 0; i < MANY; i++)
		t[i].n = 0;
	ops->close(remote);
	free((char *)b.p);
	for (int i = 0; i < 20; i++) {
		usleep(1000);
		loop_turn(loop);
	}
	for (unsigned i = 0; i < MANY; i++)
		CHECK(t[i].n == 0);
	open_remote();
	CHECK(get("size-1").code == ERR_NONE);
}

static void no_secret(void)
{
	const char *u = ops->uri(remote), *at = strchr(u, '@');

	CHECK(!at && !strstr(u, "secret"));
	CHECK(strncmp(u, ops->scheme, strlen(ops->scheme)) == 0);
	CHECK(ops->help && ops->help[0]);
}

static const struct test tests[] = {
	{ "blobs from none to a megabyte come back, and their sizes are told", blobs },
	{ "40 MiB go from file to file, and no more than there is room for comes", large },
	{ "what is not there is missing, and its removal is no error", absent },
	{ "a blob is replaced, or left alone when only new ones are wanted", again },
	{ "odd keys are refused before anything is asked", odd_keys },
	{ "two hundred calls at once, each told of once", many },
	{ "keys are listed by prefix", listing },
	{ "who cancels is not told, all others are", cancelled },
	{ "after close, silence", closed },
	{ "the URI for others holds no secret", no_secret },
	{ 0 }
};

int main(void)
{
	const char *more = getenv("GG_TEST_REMOTES");
	char *words = arena_str(&arena, more ? more : ""), *save = NULL;
	size_t n = 0, bad = 0;
	struct strs uris = { 0 };

	if (!mkdtemp(dir))
		return 1;
	MUST(loop_new(&loop, &e), e);
	MUST(http_new(&(struct http_opts){ .loop = loop }, &http, &e), e);
	strs_add(&uris, arena_printf(&arena, "dir:%s/remote", dir));
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		strs_add(&uris, w);
	for (size_t u = 0; u < uris.n; u++) {
		uri = uris.v[u];
		snprintf(prefix, sizeof prefix, "test-%llx-%x/", (unsigned long long)time(NULL),
			 (unsigned)getpid());
		open_remote();
		for (const struct test *t = tests; t->promise; t++) {
			int before = test_failures;

			t->fn();
			bad += test_failures != before;
			printf("%s %zu - %s: %s\n", test_failures == before ? "ok" : "not ok",
			       ++n, ops->scheme, t->promise);
			fflush(stdout);
		}
		ops->close(remote);
	}
	printf("1..%zu\n", n);
	http_free(http);
	loop_free(loop);
	dir_remove(AT_FDCWD, dir, &e);
	strs_release(&uris);
	arena_release(&arena);
	return bad != 0;
}
