/* What is said to container engines, and what is understood of their answers */
#include "../src/backends/container_parts.h"

#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "image.h"
#include "test.h"

static struct arena arena;
static struct err e;

static json_t *described(const struct container_api *api, const struct container_spec *s)
{
	struct buf b = { 0 };
	json_error_t bad;
	json_t *o;

	api->put_spec(s, &b);
	o = json_loadb(b.p, b.n, 0, &bad);
	CHECK(o);
	buf_release(&b);
	return o;
}

/* What a path such as "HostConfig.Mounts.0.Source" leads to, as JSON. */
static const char *at(json_t *o, const char *path)
{
	char *rest = arena_str(&arena, path), *part, *text;
	const char *out;

	while ((part = strsep(&rest, ".")))
		o = json_is_array(o) ? json_array_get(o, (size_t)atoi(part)) :
			json_object_get(o, part);
	text = o ? json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	out = text ? arena_str(&arena, text) : "(none)";
	free(text);
	return out;
}

static struct container_spec example(struct strs *devices, struct strs *args)
{
	*devices = (struct strs){ 0 };
	*args = (struct strs){ 0 };
	strs_add(args, "worker");
	strs_add(args, "--name");
	strs_add(devices, "nvidia.com/gpu=1");
	return (struct container_spec){
		.name = "gg-1-2", .image = "sha256:ab", .user = "65534:65534", .owner = "me",
		.run = "1", .folder = "/w/shared", .worker = "/b/gg-worker", .project = "/home/p",
		.seccomp = "/w/seccomp.json", .cpus = 1.5, .mem_bytes = 1 << 30,
		.devices = devices, .args = args,
	};
}

static void libpod_is_shut_in(void)
{
	struct strs devices, args;
	struct container_spec s = example(&devices, &args);
	json_t *o = described(&container_libpod, &s);

	CHECK_STR(at(o, "image"), "\"sha256:ab\"");
	CHECK_STR(at(o, "entrypoint"), "[\"" IMAGE_WORKER "\"]");
	CHECK_STR(at(o, "command"), "[\"worker\",\"--name\"]");
	CHECK_STR(at(o, "user"), "\"65534:65534\"");
	CHECK_STR(at(o, "remove"), "true");
	CHECK_STR(at(o, "read_only_filesystem"), "true");
	CHECK_STR(at(o, "no_new_privileges"), "true");
	CHECK_STR(at(o, "cap_drop"), "[\"all\"]");
	CHECK_STR(at(o, "netns.nsmode"), "\"none\"");
	CHECK_STR(at(o, "labels"), "{\"gg.owner\":\"me\",\"gg.run\":\"1\"}");
	CHECK_STR(at(o, "resource_limits.cpu"), "{\"quota\":150000,\"period\":100000}");
	CHECK_STR(at(o, "resource_limits.memory.limit"), "1073741824");
	CHECK_STR(at(o, "devices"), "[{\"path\":\"nvidia.com/gpu=1\"}]");
	CHECK_STR(at(o, "mounts.0.source"), "\"/w/shared\"");
	CHECK_STR(at(o, "mounts.0.options.1"), "\"ro\"");
	CHECK_STR(at(o, "mounts.1.destination"), "\"" IMAGE_WORKER "\"");
	CHECK_STR(at(o, "mounts.2.destination"), "\"/tmp\"");
	CHECK_STR(at(o, "mounts.3.destination"), "\"/home/p\"");
	CHECK_STR(at(o, "mounts.4"), "(none)");
	CHECK_STR(at(o, "seccomp_profile_path"), "\"/w/seccomp.json\"");
	json_decref(o);
	strs_release(&devices);
	strs_release(&args);
}

static void docker_is_shut_in(void)
{
	struct strs devices, args;
	struct container_spec s = example(&devices, &args);
	json_t *o;

	s.seccomp = container_seccomp;
	o = described(&container_docker, &s);
	CHECK_STR(at(o, "Image"), "\"sha256:ab\"");
	CHECK_STR(at(o, "User"), "\"65534:65534\"");
	CHECK_STR(at(o, "NetworkDisabled"), "true");
	CHECK_STR(at(o, "HostConfig.AutoRemove"), "true");
	CHECK_STR(at(o, "HostConfig.ReadonlyRootfs"), "true");
	CHECK_STR(at(o, "HostConfig.CapDrop"), "[\"ALL\"]");
	CHECK_STR(at(o, "HostConfig.NetworkMode"), "\"none\"");
	CHECK_STR(at(o, "HostConfig.SecurityOpt.0"), "\"no-new-privileges\"");
	CHECK(strstr(at(o, "HostConfig.SecurityOpt.1"), "seccomp={"));
	CHECK_STR(at(o, "HostConfig.NanoCpus"), "1500000000");
	CHECK_STR(at(o, "HostConfig.Memory"), "1073741824");
	CHECK_STR(at(o, "HostConfig.Mounts.0"), "{\"Type\":\"bind\",\"Source\":\"/w/shared\","
		  "\"Target\":\"/run/gg\",\"ReadOnly\":true}");
	CHECK_STR(at(o, "HostConfig.Tmpfs./tmp"), "\"rw,exec,nosuid,nodev,mode=1777\"");
	CHECK_STR(at(o, "HostConfig.DeviceRequests"),
		  "[{\"Driver\":\"cdi\",\"DeviceIDs\":[\"nvidia.com/gpu=1\"]}]");
	json_decref(o);
	strs_release(&devices);
	strs_release(&args);
}

static void nothing_that_was_not_asked_for(void)
{
	struct strs devices, args;
	struct container_spec s = example(&devices, &args);
	json_t *o;

	s.worker = s.project = NULL;
	s.cpus = 0;
	s.mem_bytes = 0;
	devices.n = 0;
	o = described(&container_libpod, &s);
	CHECK_STR(at(o, "resource_limits"), "{}");
	CHECK_STR(at(o, "devices"), "[]");
	CHECK_STR(at(o, "mounts.1.destination"), "\"/tmp\"");
	CHECK_STR(at(o, "mounts.2"), "(none)");
	json_decref(o);
	o = described(&container_docker, &s);
	CHECK_STR(at(o, "HostConfig.DeviceRequests"), "(none)");
	CHECK_STR(at(o, "HostConfig.Mounts.1"), "(none)");
	json_decref(o);
	strs_release(&devices);
	strs_release(&args);
}

static void the_profile_is_json(void)
{
	json_error_t bad;
	json_t *o = json_loads(container_seccomp, 0, &bad);

	CHECK_STR(at(o, "defaultAction"), "\"SCMP_ACT_ALLOW\"");
	CHECK_STR(at(o, "syscalls.0.action"), "\"SCMP_ACT_ERRNO\"");
	json_decref(o);
}

static void who_it_is(void)
{
	CHECK(container_api_of("4.3.1", "1.41") == &container_libpod);
	CHECK(container_api_of(NULL, "1.43") == &container_docker);
	CHECK(!container_api_of(NULL, NULL));
}

static void ends(void)
{
	int code;

	MUST(container_libpod.read_wait(bytes_str("137\n"), &code, &e), e);
	CHECK(code == 137);
	CHECK(container_libpod.read_wait(bytes_str("soon"), &code, &e) < 0);
	CHECK(container_libpod.read_wait(bytes_str(""), &code, &e) < 0);
	MUST(container_docker.read_wait(bytes_str("{\"StatusCode\":2}"), &code, &e), e);
	CHECK(code == 2);
	CHECK(container_docker.read_wait(bytes_str("{}"), &code, &e) < 0);
}

static void images(void)
{
	struct container_picture p;

	MUST(container_read_image(bytes_str("{\"Id\":\"sha256:1\",\"RepoDigests\":[\"a@sha256:2\"],"
					    "\"Config\":{\"Labels\":{\"gg.closures\":\"c d\"}}}"),
				  &arena, &p, &e), e);
	CHECK_STR(p.id, "sha256:1");
	CHECK_STR(p.digest, "a@sha256:2");
	CHECK_STR(p.closures, "c d");
	MUST(container_read_image(bytes_str("{\"Id\":\"sha256:1\",\"RepoDigests\":null,"
					    "\"Config\":{\"Labels\":null}}"), &arena, &p, &e), e);
	CHECK(!*p.digest && !p.closures);
	CHECK(container_read_image(bytes_str("{}"), &arena, &p, &e) < 0);
	MUST(container_read_progress(bytes_str("{\"status\":\"a\"}\n{\"status\":\"b\"}\n"), &e), e);
	CHECK(container_read_progress(bytes_str("{\"status\":\"a\"}\n{\"error\":\"gone\"}"), &e) < 0);
	CHECK_STR(e.text, "gone");
}

static void refusals(void)
{
	static const struct { int status; const char *body, *has; enum err_code code; } all[] = {
		{ 500, "{\"message\":\"unresolvable CDI devices a/b=9\"}", "nvidia-ctk", ERR_MISSING },
		{ 404, "{\"message\":\"no such image\"}", "by its digest", ERR_MISSING },
		{ 500, "{\"message\":\"opening file memory.max: cgroup\"}", "runc", ERR_REFUSED },
		{ 500, "{\"message\":\"a: image not known\"}", "by its digest", ERR_MISSING },
		{ 500, "not json", "no reason given", ERR_IO },
		{ 418, "{\"message\":\"a\\u0007b\"}", "a b", ERR_BAD },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		CHECK(container_refusal("it", all[i].status, bytes_str(all[i].body), &e) < 0);
		CHECK(strstr(e.text, all[i].has));
		CHECK(e.code == all[i].code);
		CHECK(container_lacks_image(bytes_str(all[i].body)) ==
		      (strstr(all[i].has, "digest") != NULL));
	}
	CHECK(container_lacks_image(bytes_str("{\"cause\":\"layer not known\"}")));
}

static struct buf seen;

static void see(void *arg, const char *id, const char *owner, bool is_up)
{
	(void)arg;
	buf_printf(&seen, "%s %s %d;", id, owner, is_up);
}

static void lists(void)
{
	MUST(container_read_list(bytes_str("[{\"Id\":\"a\",\"Labels\":{\"gg.owner\":\"x\"},"
		"\"State\":\"running\"},{\"Id\":\"b\",\"State\":\"exited\"},{\"no\":1},3]"),
		see, NULL, &e), e);
	CHECK_STR(seen.p, "a x 1;b  0;");
	buf_release(&seen);
	CHECK(container_read_list(bytes_str("["), see, NULL, &e) < 0);
}

static void see_tag(void *arg, const char *tag)
{
	(void)arg;
	buf_printf(&seen, "%s;", tag);
}

static void made(void)
{
	struct container_picture p;

	MUST(container_read_made(bytes_str("[{\"RepoTags\":[\"localhost/gg-closures:ab\",\"x:1\"],"
		"\"Labels\":{\"gg.closures\":\"c\"}},"
		"{\"RepoTags\":[\"localhost/gg-closures:cd\"],\"Labels\":{}},"
		"{\"RepoTags\":[\"localhost/gg-closures:../x\",\"localhost/gg-closures:\","
		"\"localhost/gg-closures\",7],\"Labels\":{\"gg.closures\":\"c\"}},"
		"{\"RepoTags\":null,\"Labels\":{\"gg.closures\":\"c\"}},{\"Labels\":null},3]"),
		see_tag, NULL, &e), e);
	CHECK_STR(seen.p, "ab;");
	buf_release(&seen);
	CHECK(container_read_made(bytes_str("{"), see_tag, NULL, &e) < 0);
	MUST(container_read_image(bytes_str("{\"Id\":\"sha256:1\",\"RepoTags\":[\"a:1\","
		"\"localhost/gg-closures:ef\"],\"Config\":{\"Labels\":{\"gg.closures\":\"c\"}}}"),
		&arena, &p, &e), e);
	CHECK_STR(p.made, "ef");
	MUST(container_read_image(bytes_str("{\"Id\":\"sha256:1\",\"RepoTags\":["
		"\"localhost/gg-closures:ef\"],\"Config\":{}}"), &arena, &p, &e), e);
	CHECK_STR(p.made, "");
}

/* What another process writes of itself. */
static void owner_of(bool stays, pid_t *pid, struct buf *out)
{
	int p[2];
	char text[200];
	ssize_t n;

	if (pipe(p) < 0)
		abort();
	*pid = fork();
	if (*pid == 0) {
		struct buf b = { 0 };

		container_owner(&b);
		if (write(p[1], b.p, b.n) < 0)
			_exit(1);
		close(p[1]);
		if (stays)
			pause();
		_exit(0);
	}
	close(p[1]);
	n = read(p[0], text, sizeof text);
	close(p[0]);
	buf_add(out, text, n > 0 ? (size_t)n : 0);
}

static void owners(void)
{
	struct buf mine = { 0 }, other = { 0 };
	pid_t pid;

	container_owner(&mine);
	CHECK(!container_owner_is_gone(mine.p, true) && !container_owner_is_gone(mine.p, false));
	owner_of(true, &pid, &other);
	CHECK(!container_owner_is_gone(other.p, true));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(container_owner_is_gone(other.p, true));
	/* Whose number is taken by another since. */
	buf_reset(&other);
	buf_add(&other, mine.p, mine.n);
	buf_char(&other, '9');
	CHECK(container_owner_is_gone(other.p, true));
	/* Of another boot, or machine: only what is at rest. */
	other.p[0] = other.p[0] == 'a' ? 'b' : 'a';
	CHECK(!container_owner_is_gone(other.p, true) && container_owner_is_gone(other.p, false));
	CHECK(!container_owner_is_gone("", false) && !container_owner_is_gone("a b c d", false));
	buf_release(&mine);
	buf_release(&other);
}

static const struct test tests[] = {
	{ "a container as libpod wants it is shut in", libpod_is_shut_in },
	{ "and as Docker wants it", docker_is_shut_in },
	{ "what was not asked for is not said", nothing_that_was_not_asked_for },
	{ "the list of refused calls is JSON", the_profile_is_json },
	{ "podman is told from Docker and from others", who_it_is },
	{ "the end of a container is understood in both ways", ends },
	{ "images have an id, perhaps a digest and closures; a pull tells its error", images },
	{ "refusals are told with their remedy, and without control characters", refusals },
	{ "lists are read with what lacks in them", lists },
	{ "images that gg made are told by label, name and tag", made },
	{ "an owner is known to be gone, and only then", owners },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
