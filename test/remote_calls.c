/* remote_calls.c - calls to the remote of a URI, for tests that do things to its server
 *
 *	remote_calls URI large BYTES    one object of that size, there and back
 *	remote_calls URI many N BYTES   N objects, 200 at once, there and back
 *	remote_calls URI put KEY TEXT | get KEY | list PREFIX | check
 *
 * The environment is its settings.  What fails is said, and ends it with 1.
 */
#include "remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct http *http;
static struct remote *remote;
static const struct remote_ops *ops;
static struct err e;

#define NEED(cond, what) \
	do { \
		if (!(cond)) { \
			printf("%s:%d: %s\n", __FILE__, __LINE__, what); \
			exit(1); \
		} \
	} while (0)

static const char *setting(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

struct one {
	struct remote_call c;
	struct remote_answer a;
	char *body;
	struct err err;                 /* code 0: it went well */
	bool is_done;
	char key[100];
};

static void done(struct remote_call *c, const struct remote_answer *a, const struct err *err)
{
	struct one *o = c->arg;

	NEED(!o->is_done, "done came twice");
	o->a = *a;
	if (a->body.n) {
		o->body = malloc(a->body.n);
		memcpy(o->body, a->body.p, a->body.n);
		o->a.body.p = o->body;
	}
	o->err.code = ERR_NONE;
	if (err)
		o->err = *err;
	o->is_done = true;
}

static void start(struct one *o)
{
	o->is_done = false;
	o->c.done = done;
	o->c.arg = o;
	if (ops->start(remote, &o->c, &e) < 0) {
		printf("%s\n", e.text);
		exit(1);
	}
	NEED(!o->is_done, "done came from inside start");
}

/* Run it; the code of its error. */
static enum err_code run(struct one *o)
{
	start(o);
	loop_run(loop, &o->is_done);
	return o->err.code;
}

static enum err_code simple(enum remote_verb verb, const char *key, struct bytes body,
			    struct one *o)
{
	free(o->body);
	*o = (struct one){ .c = { .verb = verb, .key = key, .body = body } };
	return run(o);
}

static void must(struct one *o, enum err_code code, enum err_code want, const char *what)
{
	if (code == want)
		return;
	printf("%s: wanted code %d, got %d: %s\n", what, want, code,
	       o->err.code ? o->err.text : "(well)");
	exit(1);
}

struct counted {
	struct remote_listing l;
	size_t n, n_wanted;
	uint64_t n_bytes;
	bool is_done, has_failed;
};

static int each(struct remote_listing *l, const char *key, uint64_t n_bytes, int64_t modified_s)
{
	struct counted *k = l->arg;

	NEED(strncmp(key, l->prefix, strlen(l->prefix)) == 0, "a key without the prefix");
	NEED(modified_s == 0 || modified_s > 1500000000, "a moment that cannot be");
	k->n++;
	k->n_bytes += n_bytes;
	return k->n == k->n_wanted;
}

static void listed(struct remote_listing *l, const struct err *err)
{
	struct counted *k = l->arg;

	k->is_done = true;
	k->has_failed = err != NULL;
	if (err)
		e = *err;
}

static struct counted list(const char *prefix, size_t n_wanted)
{
	struct counted k = { .n_wanted = n_wanted };

	k.l = (struct remote_listing){ .prefix = prefix, .each = each, .done = listed, .arg = &k };
	if (ops->list(remote, &k.l, &e) == 0)
		loop_run(loop, &k.is_done);
	if (!k.is_done || k.has_failed) {
		printf("%s\n", e.text);
		exit(1);
	}
	return k;
}

/* ---- sizes and numbers */

static int temporary(void)
{
	FILE *f = tmpfile();
	int fd = f ? dup(fileno(f)) : -1;

	if (f)
		fclose(f);
	NEED(fd >= 0, "no temporary file");
	return fd;
}

static void large(uint64_t n)
{
	struct http_file from = { .fd = temporary(), .n_bytes = n };
	struct http_file to = { .fd = temporary(), .n_bytes = n + 1000 };
	struct one o = { .c = { .verb = REMOTE_PUT, .key = "cas/large", .from = &from } };
	uint64_t word[1024], other[1024];

	for (uint64_t at = 0; at < n; at += sizeof word) {
		for (size_t i = 0; i < 1024; i++)
			word[i] = (at + i) * 0x9e3779b97f4a7c15;
		NEED(pwrite(from.fd, word, sizeof word, (off_t)at) == sizeof word, "cannot write");
	}
	must(&o, run(&o), ERR_NONE, "put");
	o = (struct one){ .c = { .verb = REMOTE_HEAD, .key = "cas/large" } };
	must(&o, run(&o), ERR_NONE, "head");
	NEED(o.a.n_bytes == n, "it has another size there");
	o = (struct one){ .c = { .verb = REMOTE_PUT, .key = "cas/large", .from = &from,
				 .only_new = true } };
	must(&o, run(&o), ERR_NONE, "put again");
	NEED(o.a.was_there, "it is not seen that it is there");
	o = (struct one){ .c = { .verb = REMOTE_GET, .key = "cas/large", .to = &to } };
	must(&o, run(&o), ERR_NONE, "get");
	NEED(o.a.n_bytes == n && lseek(to.fd, 0, SEEK_END) == (off_t)n, "another size came");
	for (uint64_t at = 0; at < n; at += sizeof word) {
		size_t k = n - at < sizeof word ? (size_t)(n - at) : sizeof word;

		NEED(pread(from.fd, word, k, (off_t)at) == (ssize_t)k &&
		     pread(to.fd, other, k, (off_t)at) == (ssize_t)k &&
		     memcmp(word, other, k) == 0, "other bytes came back");
	}
	printf("whole\n");
}

static void bulk(enum remote_verb verb, size_t n, size_t size)
{
	enum { ABREAST = 200 };
	static struct one o[ABREAST];
	static char text[ABREAST][1 << 16];
	size_t n_tries = 0, i;

	for (i = 0; i < n + ABREAST; i++) {
		struct one *k = &o[i % ABREAST];

		if (i >= ABREAST && k->key[0]) {
			loop_run(loop, &k->is_done);
			must(k, k->err.code, ERR_NONE, k->key);
			n_tries += k->a.n_tries;
			if (verb == REMOTE_GET) {
				snprintf(memset(text[i % ABREAST], 0, size), size, "%s", k->key);
				NEED(k->a.body.n == size &&
				     memcmp(k->body, text[i % ABREAST], size) == 0, "other bytes");
			}
			free(k->body);
			k->key[0] = 0;
		}
		if (i >= n)
			continue;
		*k = (struct one){ .c = { .verb = verb } };
		snprintf(k->key, sizeof k->key, "many/%zu", i);
		k->c.key = k->key;
		if (verb == REMOTE_PUT) {
			snprintf(memset(text[i % ABREAST], 0, size), size, "%s", k->key);
			k->c.body = (struct bytes){ text[i % ABREAST], size };
		}
		start(k);
	}
	printf("%zu tries\n", n_tries);
	fflush(stdout);
}

static void command(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[2] : "";
	struct one o = { .is_done = false };

	if (strcmp(verb, "large") == 0) {
		large(strtoull(argv[3], NULL, 10));
	} else if (strcmp(verb, "many") == 0) {
		size_t n = strtoull(argv[3], NULL, 10), size = strtoull(argv[4], NULL, 10);

		bulk(REMOTE_PUT, n, size);
		bulk(REMOTE_GET, n, size);
		printf("all\n");
	} else if (strcmp(verb, "put") == 0) {
		must(&o, simple(REMOTE_PUT, argv[3], bytes_str(argv[4]), &o), ERR_NONE, "put");
	} else if (strcmp(verb, "get") == 0) {
		must(&o, simple(REMOTE_GET, argv[3], (struct bytes){ 0 }, &o), ERR_NONE, "get");
		printf("%.*s\n", (int)o.a.body.n, o.body ? o.body : "");
	} else if (strcmp(verb, "list") == 0) {
		printf("%zu\n", list(argv[3], 0).n);
	} else if (strcmp(verb, "check") == 0) {
		if (ops->check && ops->check(remote, &e) < 0) {
			printf("%s\n", e.text);
			exit(1);
		}
		printf("nothing is wrong\n");
	} else {
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct http_opts h = { .ca_file = getenv("CA_FILE") };
	struct remote_opts o = { .setting = setting };

	ops = argc > 1 ? remote_find(argv[1], &e) : NULL;
	if (!ops || loop_new(&loop, &e) < 0) {
		printf("%s\n", e.text);
		return 1;
	}
	h.loop = o.loop = loop;
	if (http_new(&h, &http, &e) < 0 || (o.http = http, ops->open(&o, argv[1], &remote, &e) < 0)) {
		printf("%s\n", e.text);
		return 1;
	}
	command(argc, argv);
	ops->close(remote);
	http_free(http);
	loop_run(loop, NULL);
	loop_free(loop);
	return 0;
}
