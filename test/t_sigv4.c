/* Signatures are those that AWS gives for the same requests: its examples, and
 * its public vectors where they lie beside the project (shared/vectors/sigv4). */
#include "../src/backends/sigv4.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>
#include "file.h"
#include "id.h"
#include "test.h"
#include "when.h"

static struct arena arena;
static struct err e;

/* ---- the vectors */

struct vector {
	const char *dir, *name;
	json_t *context;
	struct sigv4_request r;
	struct aws_keys keys;
	struct strs headers, made;
};

static const char *text_of(const struct vector *v, const char *file)
{
	struct bytes b;

	MUST(file_read(AT_FDCWD, arena_printf(&arena, "%s/%s/%s", v->dir, v->name, file),
		       1 << 20, &arena, &b, &e), e);
	return arena_strn(&arena, b.p, b.n);
}

static const char *said(const struct vector *v, const char *name)
{
	return json_string_value(json_object_get(v->context, name));
}

/* METHOD PATH?QUERY HTTP/1.1, headers that may go on in the next line, body. */
static void read_request(struct vector *v, char *text)
{
	char *line = strchr(text, '\n'), *path = strchr(text, ' ') + 1;
	char *end = strstr(text, " HTTP/1.1"), *query;
	struct id hash;

	path[-1] = *end = 0;
	query = strchr(path, '?');
	if (query)
		*query++ = 0;
	v->r.method = text;
	v->r.path = path;
	v->r.query = query;
	while (line[1] && line[1] != '\n') {
		char *header = line + 1;

		line = strchr(header, '\n');
		while (line && (line[1] == ' ' || line[1] == '\t'))
			line = strchr(line + 1, '\n');
		if (!line)
			line = header + strlen(header) - 1;
		else
			*line = 0;
		if (strncmp(header, "Host:", 5) == 0)
			v->r.host = header + 5;
		else
			strs_add(&v->headers, header);
	}
	if (line[1] == '\n' && line[2]) {
		hash = id_of(bytes_str(line + 2));
		v->r.payload = arena_str(&arena, id_hex(&hash).s);
	}
	v->r.headers = v->headers.v;
}

static const char *trimmed(const char *text)
{
	size_t n = strlen(text);

	while (n && text[n - 1] == '\n')
		n--;
	return arena_strn(&arena, text, n);
}

static void one_vector(struct vector *v)
{
	struct sigv4 s = { 0 };
	struct sigv4_made m;
	const json_t *who;

	v->context = json_loads(text_of(v, "context.json"), 0, NULL);
	who = json_object_get(v->context, "credentials");
	v->keys.access_key = json_string_value(json_object_get(who, "access_key_id"));
	v->keys.secret_key = json_string_value(json_object_get(who, "secret_access_key"));
	v->keys.token = json_string_value(json_object_get(who, "token"));
	s.region = said(v, "region");
	s.service = said(v, "service");
	s.flags = SIGV4_ENCODE;
	if (json_is_true(json_object_get(v->context, "normalize")))
		s.flags |= SIGV4_NORMALISE;
	if (json_is_true(json_object_get(v->context, "sign_body")))
		s.flags |= SIGV4_TELL_HASH;
	if (json_is_true(json_object_get(v->context, "omit_session_token")))
		s.flags |= SIGV4_TOKEN_LATER;
	read_request(v, arena_str(&arena, text_of(v, "request.txt")));
	CHECK(when_iso(said(v, "timestamp"), &v->r.now_s));
	m = sigv4_sign(&s, &v->keys, &v->r, &arena, &v->made);
	CHECK_STR(m.canonical, trimmed(text_of(v, "header-canonical-request.txt")));
	CHECK_STR(m.to_sign, trimmed(text_of(v, "header-string-to-sign.txt")));
	CHECK_STR(m.signature, trimmed(text_of(v, "header-signature.txt")));
	/* Each header that is sent is one of the vector's. */
	for (size_t i = 0; i < v->made.n; i++) {
		const char *name = v->made.v[i];
		const char *value = strchr(name, ':') + 2;
		const char *line = arena_printf(&arena, "\n%.*s:%s\n", (int)(value - 2 - name),
						name, value);

		if (strncmp(name, "X-Amz-Content", 13) == 0)
			line = arena_printf(&arena, "\nx-amz-content-sha256:%s\n", value);
		CHECK(strstr(text_of(v, "header-signed-request.txt"), line) != NULL);
	}
	json_decref(v->context);
	strs_release(&v->headers);
	strs_release(&v->made);
}

/* Beside this file's project, or in it. */
static char *vectors_dir(void)
{
	const char *root = arena_strn(&arena, __FILE__, (size_t)(path_base(__FILE__) - __FILE__));
	const char *const places[] = { "../shared/vectors/sigv4", "../../shared/vectors/sigv4" };

	for (size_t i = 0; i < 2; i++) {
		char *dir = arena_printf(&arena, "%s%s", root, places[i]);

		if (access(dir, R_OK) == 0)
			return dir;
	}
	return NULL;
}

static void vectors(void)
{
	char *dir = vectors_dir();
	struct dirent *entry;
	int n = 0;
	DIR *d;

	if (!dir) {
		printf("# no shared/vectors/sigv4 beside the project: left out\n");
		return;
	}
	d = opendir(dir);
	while (d && (entry = readdir(d))) {
		struct vector v = { .dir = dir, .name = arena_str(&arena, entry->d_name) };
		int before = test_failures;

		if (entry->d_name[0] == '.')
			continue;
		one_vector(&v);
		n++;
		if (test_failures != before)
			printf("# in %s\n", v.name);
	}
	closedir(d);
	CHECK(n >= 30);
	printf("# %d vectors\n", n);
}

/* ---- the examples of the S3 manual */

static const struct aws_keys example = {
	.access_key = "AKIAIOSFODNN7EXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};

static void of_s3(void)
{
	struct sigv4 s = { .region = "us-east-1", .service = "s3", .flags = SIGV4_OF_S3 };
	const char *get[] = { "Range: bytes=0-9", NULL };
	const char *put[] = { "Date: Fri, 24 May 2013 00:00:00 GMT",
			      "x-amz-storage-class: REDUCED_REDUNDANCY", NULL };
	struct sigv4_request r = { .method = "GET", .path = "/test.txt", .headers = get,
				   .host = "examplebucket.s3.amazonaws.com" };
	struct strs out = { 0 };
	struct id body = id_of(bytes_str("Welcome to Amazon S3."));
	struct id_hex hex = id_hex(&body);

	CHECK(when_iso("2013-05-24T00:00:00Z", &r.now_s));
	CHECK_STR(sigv4_sign(&s, &example, &r, &arena, &out).signature,
		  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	CHECK(out.n == 3);
	r.method = "PUT";
	r.path = "/test%24file.text";
	r.headers = put;
	r.payload = hex.s;
	CHECK_STR(sigv4_sign(&s, &example, &r, &arena, &out).signature,
		  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
	r = (struct sigv4_request){ .method = "GET", .path = "/", .query = "lifecycle",
				    .host = r.host, .now_s = r.now_s };
	CHECK_STR(sigv4_sign(&s, &example, &r, &arena, &out).signature,
		  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	r.query = "prefix=J&max-keys=2";
	CHECK_STR(sigv4_sign(&s, &example, &r, &arena, &out).signature,
		  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
	strs_release(&out);
}

/* The key that is kept is that of the day, of the secret and of nothing else. */
static void kept_key(void)
{
	struct sigv4 s = { .region = "r", .service = "s3" }, fresh;
	struct aws_keys k = { .access_key = "a", .secret_key = "one" };
	struct sigv4_request r = { .method = "GET", .host = "h", .path = "/" };
	static const int64_t at[] = { 0, 1, 86400, 0 };
	struct strs out = { 0 };

	for (size_t i = 0; i < 8; i++) {
		fresh = (struct sigv4){ .region = "r", .service = "s3" };
		k.secret_key = i & 1 ? "two" : "one";
		r.now_s = at[i / 2];
		CHECK_STR(sigv4_sign(&s, &k, &r, &arena, &out).signature,
			  sigv4_sign(&fresh, &k, &r, &arena, &out).signature);
	}
	strs_release(&out);
}

static void clocks(void)
{
	struct sigv4 s = { .region = "r", .service = "s3" };
	struct sigv4_request r = { .method = "GET", .host = "h", .path = "/" };
	struct strs out = { 0 };

	CHECK(when_iso("2013-05-24T00:00:00Z", &r.now_s));
	CHECK(!sigv4_learn_clock(&s, NULL, r.now_s));
	CHECK(!sigv4_learn_clock(&s, "yesterday", r.now_s));
	CHECK(!sigv4_learn_clock(&s, "Fri, 24 May 2013 00:00:10 GMT", r.now_s));
	CHECK(sigv4_learn_clock(&s, "Fri, 24 May 2013 01:00:00 GMT", r.now_s));
	CHECK(s.skew_s == 3600);
	CHECK(!sigv4_learn_clock(&s, "Fri, 24 May 2013 01:00:05 GMT", r.now_s));
	sigv4_sign(&s, &example, &r, &arena, &out);
	CHECK_STR(out.v[0], "X-Amz-Date: 20130524T010000Z");
	strs_release(&out);
}

static void moments(void)
{
	static const char *const not_http[] = {
		"", "now", "Fri, 31 Feb 2013 00:00:00 GMT", "Fri, 24 Mai 2013 00:00:00 GMT",
		"Fri, 24 May 2013 00:00:00 CET", "Fri, 24 May 2013 24:00:00 GMT", "Fri, 24 M",
	};
	static const char *const not_iso[] = {
		"", "2013-05-24", "2013-13-24T00:00:00Z", "2013-05-24T00:00:00+01:00",
		"2013-05-24T00:00:00.Zz", "20130524T000000Z",
	};
	int64_t at = 7;

	for (size_t i = 0; i < sizeof not_http / sizeof *not_http; i++)
		CHECK(!when_http(not_http[i], &at) && at == 7);
	for (size_t i = 0; i < sizeof not_iso / sizeof *not_iso; i++)
		CHECK(!when_iso(not_iso[i], &at) && at == 7);
	CHECK(when_http("Sun, 06 Nov 1994 08:49:37 GMT", &at) && at == 784111777);
	CHECK(when_iso("1994-11-06T08:49:37.123456Z", &at) && at == 784111777);
	CHECK(when_iso("2024-02-29T23:59:59Z", &at) && at == 1709251199);
	CHECK_STR(when_basic(784111777).s, "19941106T084937Z");
}

static const struct test tests[] = {
	{ "each public vector gives its canonical request, text and signature", vectors },
	{ "the examples of the S3 manual give the signatures printed there", of_s3 },
	{ "the key that is kept changes with the day and the secret", kept_key },
	{ "a server's clock is believed when it is far from ours", clocks },
	{ "moments are read exactly or not at all", moments },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
