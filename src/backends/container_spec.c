/* container_spec.c - a worker's container in the words of both APIs
 *
 * Nothing of the root can be written, no power is held or can be gained, there
 * is no network; what a worker writes is in /tmp and where its steps see the
 * project, both in memory.  Cells make user, mount, pid and network namespaces
 * inside, for which /proc must not be covered in part.
 */
#include "container_api.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "image.h"

enum { PERIOD_US = 100000 };

const char container_seccomp[] =
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
	"\"acct\",\"add_key\",\"bpf\",\"clock_adjtime\",\"clock_settime\",\"delete_module\","
	"\"finit_module\",\"init_module\",\"ioperm\",\"iopl\",\"kexec_file_load\",\"kexec_load\","
	"\"keyctl\",\"lookup_dcookie\",\"open_by_handle_at\",\"perf_event_open\",\"quotactl\","
	"\"reboot\",\"request_key\",\"settimeofday\",\"swapoff\",\"swapon\",\"syslog\","
	"\"userfaultfd\",\"vhangup\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1}]}\n";

static const char *const memory_mount[] = { "rw", "exec", "nosuid", "nodev", "mode=1777", NULL };

/* A folder or file of this machine, for reading. */
struct shown {
	const char *from, *to;
};

static size_t all_shown(const struct container_spec *s, struct shown v[2])
{
	v[0] = (struct shown){ s->folder, CONTAINER_FOLDER };
	v[1] = (struct shown){ s->worker, IMAGE_WORKER };
	return s->worker ? 2 : 1;
}

static json_t *strings(const char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(v[i]));
	return list;
}

static json_t *labels(const struct container_spec *s)
{
	return json_pack("{s:s, s:s}", CONTAINER_OWNER, s->owner, CONTAINER_RUN, s->run);
}

static void write_json(json_t *o, struct buf *out)
{
	char *text = json_dumps(o, JSON_COMPACT);

	buf_str(out, text);
	free(text);
	json_decref(o);
}

/* ---- libpod */

static json_t *libpod_mounts(const struct container_spec *s)
{
	static const char *const reading[] = { "bind", "ro", "nosuid", "nodev", "rprivate" };
	const char *const memory[] = { "/tmp", s->project };
	struct shown shown[2];
	size_t n = all_shown(s, shown);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}",
			"type", "bind", "source", shown[i].from, "destination", shown[i].to,
			"options", strings(reading, sizeof reading / sizeof *reading)));
	for (size_t i = 0; i < 2 && memory[i]; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}",
			"type", "tmpfs", "source", "tmpfs", "destination", memory[i],
			"options", strings(memory_mount, 5)));
	return list;
}

static json_t *libpod_limits(const struct container_spec *s)
{
	json_t *o = json_object();

	if (s->cpus > 0)
		json_object_set_new(o, "cpu", json_pack("{s:I, s:I}",
			"quota", (json_int_t)(s->cpus * PERIOD_US),
			"period", (json_int_t)PERIOD_US));
	if (s->mem_bytes)
		json_object_set_new(o, "memory", json_pack("{s:I}",
			"limit", (json_int_t)s->mem_bytes));
	return o;
}

static void put_libpod(const struct container_spec *s, struct buf *out)
{
	json_t *devices = json_array();

	for (size_t i = 0; i < s->devices->n; i++)
		json_array_append_new(devices, json_pack("{s:s}", "path", s->devices->v[i]));
	write_json(json_pack("{s:s, s:s, s:[s], s:o, s:s, s:o, s:b, s:b, s:b, s:[s], s:{s:s},"
			     " s:[s], s:s, s:[s], s:o, s:o, s:o, s:s}",
			     "name", s->name, "image", s->image, "entrypoint", IMAGE_WORKER,
			     "command", strings(s->args->v, s->args->n), "user", s->user,
			     "labels", labels(s), "remove", 1, "read_only_filesystem", 1,
			     "no_new_privileges", 1, "cap_drop", "all",
			     "netns", "nsmode", "none", "unmask", "ALL",
			     "seccomp_profile_path", s->seccomp, "selinux_opts", "disable",
			     "mounts", libpod_mounts(s), "resource_limits", libpod_limits(s),
			     "devices", devices, "image_volume_mode", "ignore"), out);
}

static int read_wait_libpod(struct bytes json, int *code, struct err *e)
{
	char text[16], *end;

	if (json.n >= sizeof text)
		return err_set(e, ERR_BAD, "an exit code of %zu bytes", json.n);
	memcpy(text, json.p, json.n);
	text[json.n] = 0;
	*code = (int)strtol(text, &end, 10);
	return end != text && strspn(end, " \n") == strlen(end) ? 0 :
		err_set(e, ERR_BAD, "what should be an exit code is none");
}

const struct container_api container_libpod = {
	.name = "libpod",
	.put_spec = put_libpod,
	.create = "/v4.0.0/libpod/containers/create",
	.wait = "/v4.0.0/libpod/containers/%s/wait?condition=exited&condition=stopped"
		"&interval=20ms",
	.remove = "/v4.0.0/libpod/containers/%s?force=true&timeout=0&v=true",
	.read_wait = read_wait_libpod,
};

/* ---- Docker */

static json_t *docker_mounts(const struct container_spec *s)
{
	struct shown shown[2];
	size_t n = all_shown(s, shown);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}",
			"Type", "bind", "Source", shown[i].from, "Target", shown[i].to,
			"ReadOnly", 1));
	return list;
}

static json_t *docker_memory(const struct container_spec *s)
{
	const char *const at[] = { "/tmp", s->project };
	json_t *o = json_object();
	struct buf options = { 0 };

	for (size_t i = 0; memory_mount[i]; i++)
		buf_printf(&options, "%s%s", i ? "," : "", memory_mount[i]);
	for (size_t i = 0; i < 2 && at[i]; i++)
		json_object_set_new(o, at[i], json_string(options.p));
	buf_release(&options);
	return o;
}

static json_t *docker_host(const struct container_spec *s)
{
	struct buf seccomp = { 0 };
	json_t *o;

	buf_printf(&seccomp, "seccomp=%s", s->seccomp);
	o = json_pack("{s:b, s:b, s:[s], s:s, s:[s, s, s], s:o, s:o, s:[], s:[], s:I, s:I}",
		      "AutoRemove", 1, "ReadonlyRootfs", 1, "CapDrop", "ALL",
		      "NetworkMode", "none", "SecurityOpt", "no-new-privileges", seccomp.p,
		      "label=disable", "Mounts", docker_mounts(s), "Tmpfs", docker_memory(s),
		      "MaskedPaths", "ReadonlyPaths", "Memory", (json_int_t)s->mem_bytes,
		      "NanoCpus", (json_int_t)(s->cpus * 1e9));
	if (s->devices->n)
		json_object_set_new(o, "DeviceRequests", json_pack("[{s:s, s:o}]",
			"Driver", "cdi", "DeviceIDs", strings(s->devices->v, s->devices->n)));
	buf_release(&seccomp);
	return o;
}

static void put_docker(const struct container_spec *s, struct buf *out)
{
	write_json(json_pack("{s:s, s:[s], s:o, s:s, s:o, s:b, s:o}", "Image", s->image,
			     "Entrypoint", IMAGE_WORKER, "Cmd", strings(s->args->v, s->args->n),
			     "User", s->user, "Labels", labels(s), "NetworkDisabled", 1,
			     "HostConfig", docker_host(s)), out);
}

static int read_wait_docker(struct bytes json, int *code, struct err *e)
{
	json_error_t bad;
	json_t *o = json_loadb(json.p, json.n, 0, &bad);
	json_t *status = json_object_get(o, "StatusCode");
	bool is_there = json_is_integer(status);

	*code = (int)json_integer_value(status);
	json_decref(o);
	return is_there ? 0 : err_set(e, ERR_BAD, "an end without an exit code");
}

const struct container_api container_docker = {
	.name = "docker",
	.put_spec = put_docker,
	.create = "/v1.41/containers/create?name=%s",
	.wait = "/v1.41/containers/%s/wait?condition=removed",
	.remove = "/v1.41/containers/%s?force=true&v=true",
	.read_wait = read_wait_docker,
};
