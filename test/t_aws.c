/* Keys and region are found where AWS's own tools look for them, renewed in
 * time, and told of in words that hold no secret. */
#include "../src/backends/aws.h"

#include <fcntl.h>
#include <unistd.h>
#include "file.h"
#include "http.h"
#include "loop.h"
#include "python_server.h"
#include "test.h"

static struct loop *loop;
static struct http *http;
static struct arena arena;
static struct err e;
static char dir[] = "/tmp/gg-aws-XXXXXX";
static int port;

/* NAME, value, ..., NULL. */
static const char *setting(void *arg, const char *name)
{
	for (const char *const *v = arg; *v; v += 2)
		if (strcmp(v[0], name) == 0)
			return v[1];
	return NULL;
}

static struct aws *open_as(const char *profile, const char *const *settings)
{
	struct aws_opts o = { .http = http, .setting = setting, .profile = profile,
			      .setting_arg = (void *)(uintptr_t)settings };
	struct aws *a = NULL;

	return aws_open(&o, &a, &e) < 0 ? NULL : a;
}

static void check_keys(struct aws *a, const char *key, const char *secret, const char *token)
{
	const struct aws_keys *k = a ? aws_keys(a) : NULL;

	CHECK(k != NULL);
	if (!k)
		return;
	CHECK_STR(k->access_key, key);
	CHECK_STR(k->secret_key, secret);
	CHECK(token ? k->token && strcmp(k->token, token) == 0 : !k->token);
}

static void write_text(const char *name, const char *text)
{
	MUST(file_write(AT_FDCWD, arena_printf(&arena, "%s/%s", dir, name), bytes_str(text),
			0600, 0, &e), e);
}

static void from_environment(void)
{
	const char *all[] = { "AWS_ACCESS_KEY_ID", "AKIA1", "AWS_SECRET_ACCESS_KEY", "hidden",
			      "AWS_SESSION_TOKEN", "session", "AWS_DEFAULT_REGION", "eu-west-1",
			      "HOME", "/nowhere", NULL };
	const char *half[] = { "AWS_ACCESS_KEY_ID", "AKIA1", "HOME", "/nowhere", NULL };
	const char *odd[] = { "AWS_ACCESS_KEY_ID", "AKIA1\r\nX: y", "AWS_SECRET_ACCESS_KEY",
			      "hidden", NULL };
	const char *none[] = { "HOME", "/nowhere", "AWS_ACCESS_KEY_ID", "", NULL };
	struct aws *a = open_as(NULL, all);

	check_keys(a, "AKIA1", "hidden", "session");
	CHECK_STR(aws_region(a), "eu-west-1");
	CHECK(!aws_renew(a, aws_version(a)));
	aws_close(a);
	CHECK(!open_as(NULL, half) && e.code == ERR_USAGE);
	CHECK(strstr(e.text, "AWS_SECRET_ACCESS_KEY is not") && !strstr(e.text, "hidden"));
	CHECK(!open_as(NULL, odd) && e.code == ERR_BAD && !strstr(e.text, "hidden"));
	CHECK(!open_as(NULL, none) && e.code == ERR_MISSING);
	CHECK(strstr(e.text, "/nowhere/.aws/credentials") && strstr(e.text, "AWS_ACCESS_KEY_ID"));
	aws_close(NULL);
}

static const char credentials[] =
	"# comment\n"
	"[default]\n"
	"aws_access_key_id = AKIADEF\n"
	"aws_secret_access_key=hid=den/+ # that one\r\n"
	"\n"
	"[work]\n"
	"aws_access_key_id\t=\tAKIAWORK\n"
	"  aws_session_token = of something nested\n"
	"aws_secret_access_key = hidden2\n"
	"aws_session_token = tok\n"
	"[half]\n"
	"aws_access_key_id = AKIAHALF\n";
static const char config[] =
	"[default]\nregion = us-west-2\n"
	"[profile work]\nregion=eu-central-1\ns3 =\n  region = nested\n"
	"[profile conf]\naws_access_key_id=AKIACONF\naws_secret_access_key=hidden3\n"
	"[profile sso]\nsso_session = x\n";

static void from_files(void)
{
	const char *base[] = { "HOME", dir, NULL };
	const char *named[] = { "HOME", dir, "AWS_PROFILE", "work", NULL };
	const char *both[] = { "HOME", dir, "AWS_PROFILE", "work", "AWS_ACCESS_KEY_ID", "AKIA1",
			       "AWS_SECRET_ACCESS_KEY", "hidden", "AWS_REGION", "r1", NULL };
	struct aws *a;

	MUST(dir_make(AT_FDCWD, arena_printf(&arena, "%s/.aws", dir), &e), e);
	write_text(".aws/credentials", credentials);
	write_text(".aws/config", config);
	a = open_as(NULL, base);
	check_keys(a, "AKIADEF", "hid=den/+", NULL);
	CHECK_STR(aws_region(a), "us-west-2");
	aws_close(a);
	a = open_as(NULL, named);
	check_keys(a, "AKIAWORK", "hidden2", "tok");
	CHECK_STR(aws_region(a), "eu-central-1");
	CHECK(strstr(aws_source(a), "[work]") != NULL);
	aws_close(a);
	a = open_as("conf", named);
	check_keys(a, "AKIACONF", "hidden3", NULL);
	aws_close(a);
	/* The environment goes first, unless a profile was asked for by name. */
	a = open_as(NULL, both);
	check_keys(a, "AKIA1", "hidden", NULL);
	CHECK_STR(aws_region(a), "r1");
	aws_close(a);
	a = open_as("default", both);
	check_keys(a, "AKIADEF", "hid=den/+", NULL);
	aws_close(a);
	CHECK(!open_as("absent", base) && e.code == ERR_MISSING && strstr(e.text, "absent"));
	CHECK(!open_as("half", base) && e.code == ERR_BAD);
	CHECK(strstr(e.text, "has no aws_secret_access_key") != NULL);
	CHECK(!open_as("sso", base) && e.code == ERR_REFUSED);
	CHECK(strstr(e.text, "export-credentials --profile sso") != NULL);
}

static void other_files(void)
{
	const char *s[] = { "AWS_SHARED_CREDENTIALS_FILE", arena_printf(&arena, "%s/c", dir),
			    "AWS_CONFIG_FILE", arena_printf(&arena, "%s/g", dir), NULL };
	struct aws *a;
	unsigned version;

	write_text("c", "[default]\naws_access_key_id=A1\naws_secret_access_key=hidden\n");
	a = open_as(NULL, s);
	check_keys(a, "A1", "hidden", NULL);
	CHECK(!aws_region(a));
	version = aws_version(a);
	CHECK(!aws_renew(a, version));
	write_text("c", "[default]\naws_access_key_id=A2\naws_secret_access_key=hidden\n");
	CHECK(aws_renew(a, version) && aws_version(a) != version);
	check_keys(a, "A2", "hidden", NULL);
	/* Others that were refused with the old keys find the new ones. */
	CHECK(aws_renew(a, version));
	version = aws_version(a);
	write_text("c", "");
	CHECK(!aws_renew(a, version));
	check_keys(a, "A2", "hidden", NULL);
	aws_close(a);
}

/* ---- the container's endpoint */

struct waiting {
	struct aws_wait wait;
	bool is_done, has_failed;
};

static void waited(struct aws_wait *w, const struct err *err)
{
	struct waiting *t = w->arg;

	t->is_done = true;
	t->has_failed = err != NULL;
	if (err)
		e = *err;
}

static bool wait_for(struct aws *a)
{
	struct waiting t = { .wait = { .done = waited, .arg = &t } };

	aws_wait(a, &t.wait);
	CHECK(!t.is_done);
	loop_run(loop, &t.is_done);
	CHECK(t.is_done);
	return !t.has_failed;
}

static struct aws *open_endpoint(const char *path, const char *token, const char *token_file)
{
	const char *url = arena_printf(&arena, "http://127.0.0.1:%d%s", port, path);
	const char *const s[] = { "HOME", "/nowhere", "AWS_CONTAINER_CREDENTIALS_FULL_URI", url,
				  "AWS_CONTAINER_AUTHORIZATION_TOKEN", token,
				  "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file, NULL };
	const char **kept = arena_alloc(&arena, sizeof s);

	memcpy(kept, s, sizeof s);
	return open_as(NULL, kept);
}

static int times_asked(const char *path)
{
	struct http_request r = { .url = arena_printf(&arena, "http://127.0.0.1:%d/count?of=%s",
						      port, path) };
	struct http_answer a;

	MUST(http_fetch(http, &r, &arena, &a, &e), e);
	return atoi(arena_strn(&arena, a.body.p, a.body.n));
}

static void from_endpoint(void)
{
	struct aws *a = open_endpoint("/good", "", "");
	unsigned version;

	CHECK(a && !aws_keys(a));
	CHECK(wait_for(a));
	check_keys(a, "ASIA1", "hidden1", "session1");
	version = aws_version(a);
	for (int i = 0; i < 100; i++)
		check_keys(a, "ASIA1", "hidden1", "session1");
	CHECK(times_asked("/good") == 1);
	/* Refused keys are asked for anew, once for all that were refused. */
	CHECK(aws_renew(a, version) && !aws_keys(a) && wait_for(a));
	CHECK(aws_renew(a, version));
	check_keys(a, "ASIA2", "hidden2", "session2");
	CHECK(times_asked("/good") == 2);
	aws_close(a);
	a = open_endpoint("/flaky?n=2", "", "");
	CHECK(wait_for(a));
	aws_close(a);
}

static void in_time(void)
{
	struct aws *a = open_endpoint("/soon?s=100", "", "");
	bool stop = false;

	CHECK(wait_for(a));
	check_keys(a, "ASIA1", "hidden1", "session1");
	/* Less than five minutes: renewed while the old ones are used. */
	sleep(1);
	for (int i = 0; i < 50 && !stop; i++) {
		const struct aws_keys *k = aws_keys(a);

		CHECK(k != NULL);
		usleep(10000);
		loop_turn(loop);
	}
	CHECK(times_asked("/soon?s=100") == 1);         /* not each second anew */
	aws_close(a);
	a = open_endpoint("/soon?s=14", "", "");
	CHECK(wait_for(a));
	check_keys(a, "ASIA1", "hidden1", "session1");
	sleep(5);
	CHECK(!aws_keys(a) && wait_for(a));
	check_keys(a, "ASIA2", "hidden2", "session2");
	aws_close(a);
}

static void endpoint_refuses(void)
{
	static const char *const paths[] = { "/ended", "/odd", "/role?token=right" };
	const char *file = arena_printf(&arena, "%s/token", dir);
	struct aws *a;

	for (size_t i = 0; i < 3; i++) {
		a = open_endpoint(paths[i], "", "");
		CHECK(a && !wait_for(a) && !aws_keys(a));
		CHECK(e.code == ERR_REFUSED || e.code == ERR_BAD);
		CHECK(!strstr(e.text, "hidden") && !strstr(e.text, "right?token"));
		aws_close(a);
	}
	CHECK(strstr(e.text, "403") != NULL);
	a = open_endpoint("/role?token=right", "right", "");
	CHECK(wait_for(a));
	aws_close(a);
	/* A file goes before, and is read anew each time. */
	write_text("token", "wrong\n");
	a = open_endpoint("/role?token=right", "right", file);
	CHECK(!wait_for(a));
	write_text("token", "right\n");
	CHECK(wait_for(a));
	aws_close(a);
	write_text("token", "a\r\nX: y\n");
	a = open_endpoint("/role?token=right", "right", file);
	CHECK(!wait_for(a) && e.code == ERR_BAD);
	aws_close(a);
	a = open_endpoint("/role?token=right", "right", "/no/such");
	CHECK(!wait_for(a) && strstr(e.text, "TOKEN_FILE"));
	aws_close(a);
}

static void open_network(void)
{
	static const char *const bad[] = { "http://10.0.0.1/x", "http://127.0.0.1.evil.example/x",
					   "http://169.254.170.20/", "ftp://localhost/", "x" };
	static const char *const good[] = { "https://keys.example/x", "http://localhost:80/x",
					    "http://169.254.170.23/v1", "http://[fd00:ec2::23]/v1",
					    "http://[::1]:8/x" };
	const char *s[] = { "AWS_CONTAINER_CREDENTIALS_FULL_URI", NULL, NULL };
	const char *ecs[] = { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x", NULL };
	const char *url;

	for (size_t i = 0; i < 5; i++) {
		s[1] = bad[i];
		CHECK(aws_container_url(setting, s, &arena, &url, &e) < 0 &&
		      e.code == ERR_REFUSED);
		s[1] = good[i];
		CHECK(aws_container_url(setting, s, &arena, &url, &e) == 0);
		CHECK_STR(url, good[i]);
	}
	CHECK(aws_container_url(setting, ecs, &arena, &url, &e) == 0);
	CHECK_STR(url, "http://169.254.170.2/v2/x");
	ecs[1] = "@evil.example/";
	CHECK(aws_container_url(setting, ecs, &arena, &url, &e) < 0 && e.code == ERR_USAGE);
}

static struct aws *open_machine(const char *path, const char *off)
{
	const char *url = arena_printf(&arena, "http://127.0.0.1:%d%s", port, path);
	const char *const s[] = { "HOME", "/nowhere", "AWS_EC2_METADATA_SERVICE_ENDPOINT", url,
				  "AWS_EC2_METADATA_DISABLED", off, NULL };
	const char **kept = arena_alloc(&arena, sizeof s);

	memcpy(kept, s, sizeof s);
	return open_as(NULL, kept);
}

static void from_machine(void)
{
	struct aws *a = open_machine("/", "");
	unsigned version;

	CHECK(a && !aws_keys(a) && wait_for(a));
	check_keys(a, "ASIA1", "hidden1", "session1");
	version = aws_version(a);
	CHECK(aws_renew(a, version) && !aws_keys(a) && wait_for(a));
	check_keys(a, "ASIA2", "hidden2", "session2");
	CHECK(times_asked("/latest/api/token") == 2);
	aws_close(a);
	a = open_machine("/none", "false");
	CHECK(a && !wait_for(a) && e.code == ERR_REFUSED && strstr(e.text, "404"));
	aws_close(a);
	a = open_machine("/odd", "");
	CHECK(a && !wait_for(a) && e.code == ERR_BAD && strstr(e.text, "name of a role"));
	CHECK(times_asked("/odd/latest/api/token") == 1);
	/* Closed between two of its requests. */
	aws_wait(a, &(struct aws_wait){ .done = NULL });
	aws_close(a);
	CHECK(!open_machine("/", "true") && e.code == ERR_MISSING);
	a = open_as(NULL, (const char *[]){ "AWS_EC2_METADATA_SERVICE_ENDPOINT",
		    "http://127.0.0.1.evil.example", NULL });
	CHECK(!a && e.code == ERR_REFUSED);
}

static void cut_off(void)
{
	struct waiting t = { .wait = { .done = waited, .arg = &t } };
	struct aws *a = open_endpoint("/good", "", "");

	aws_wait(a, &t.wait);
	aws_unwait(a, &t.wait);
	aws_wait(a, &t.wait);
	aws_close(a);
	loop_run(loop, NULL);
	CHECK(!t.is_done);
}

static const struct test tests[] = {
	{ "keys of the environment: whole, or told what is missing", from_environment },
	{ "keys and regions of ~/.aws, by profile", from_files },
	{ "files can be named, and are read again when their keys were refused", other_files },
	{ "a container's endpoint gives keys, once for all that wait", from_endpoint },
	{ "keys that pass are renewed before they end", in_time },
	{ "an endpoint that refuses, or gives nonsense, is told of without secrets",
	  endpoint_refuses },
	{ "keys never come over the open network in the clear", open_network },
	{ "a machine of EC2 gives keys, in three steps, or says why not", from_machine },
	{ "after close nobody is called", cut_off },
	{ 0 }
};

int main(void)
{
	char said[32];
	int rc, keep;
	pid_t pid = python_start("keys_server.py", NULL, &keep, said, sizeof said);

	if (sscanf(said, "%d", &port) != 1 || !mkdtemp(dir)) {
		printf("1..0 # SKIP needs python3\n");
		return 77;
	}
	MUST(loop_new(&loop, &e), e);
	MUST(http_new(&(struct http_opts){ .loop = loop }, &http, &e), e);
	rc = test_main(tests);
	http_free(http);
	loop_free(loop);
	python_end(pid, keep);
	dir_remove(AT_FDCWD, dir, &e);
	arena_release(&arena);
	return rc;
}
