/* container_setup.c - what the words of a container engine's URI mean
 *
 * Everybody may read what containers are shown, behind a folder that is closed
 * to others: inside, a worker is a user who is not root, since only such a one
 * can have cells with all their walls, and owns nothing here.
 */
#include "container_parts.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "file.h"

enum { NOBODY = 65534 };

/* A socket that nobody listens on means that gg was killed. */
#define PATIENCE "10s"

#define AT(member) offsetof(struct container_options, member)

const struct engine_word container_words[] = {
	{ "workers", WORD_COUNT, AT(workers),
	  "at most so many containers (as many as there are cores)" },
	{ "min", WORD_COUNT, AT(min), "so many even when nothing waits" },
	{ "keep", WORD_SECONDS, AT(keep_s),
	  "an idle one stays so long (60s; once gg has seen in this and earlier runs when "
	  "work comes again, about as long as that takes, or it goes and is back just before; "
	  "none outlives gg)" },
	{ "lease", WORD_SECONDS, AT(lease_s),
	  "a worker silent for so long is given up (30s)" },
	{ "cpus", WORD_NUMBER, AT(cpus), "cores for each, as a limit" },
	{ "mem", WORD_BYTES, AT(mem_bytes), "memory for each, as a limit" },
	{ "disk", WORD_BYTES, AT(disk_bytes),
	  "of that memory so much is for files that steps write, which are kept there" },
	{ "gpus", WORD_NUMBER, AT(gpus),
	  "devices for each; 0.5: two share one" },
	{ "device", WORD_LIST, AT(devices),
	  "a device by its CDI name (nvidia.com/gpu=0, =1, ...); may be said more than once" },
	{ "image", WORD_TEXT, AT(image),
	  "what to start, NAME@sha256:...; without it one is made of the steps' closures" },
	{ "base", WORD_TEXT, AT(base),
	  "the same of an image without gg: the worker is put into the container" },
	{ "socket", WORD_TEXT, AT(socket),
	  "of podman or Docker; else CONTAINER_HOST, DOCKER_HOST, the usual places" },
	{ "worker", WORD_TEXT, AT(worker),
	  "the program gg-worker (the one beside gg)" },
	{ "api", WORD_TEXT, AT(api),
	  "docker or libpod, where one socket speaks both" },
	{ 0 }
};

/* ---- which devices are whose */

/* Below one, several workers share a device; else each has some of its own. */
static size_t device_of(const struct backend *b, unsigned slot, size_t k)
{
	double g = b->opt.gpus;

	return g < 1 ? slot / (size_t)floor(1 / g + 1e-6) : slot * (size_t)g + k;
}

static void add_devices(const struct backend *b, unsigned slot, struct arena *a,
			struct strs *out)
{
	size_t n = b->opt.gpus <= 0 ? 0 : b->opt.gpus < 1 ? 1 : (size_t)b->opt.gpus;

	for (size_t k = 0; k < n; k++) {
		size_t i = device_of(b, slot, k);

		strs_add(out, i < b->opt.devices.n ? b->opt.devices.v[i] :
			 arena_printf(a, "nvidia.com/gpu=%zu", i));
	}
	/* Devices without gpus= are for everybody. */
	for (size_t i = 0; !n && i < b->opt.devices.n; i++)
		strs_add(out, b->opt.devices.v[i]);
}

static int check_devices(const struct backend *b, struct err *e)
{
	const struct container_options *p = &b->opt;
	size_t needs;

	if (p->gpus > 1 && p->gpus != floor(p->gpus))
		return err_set(e, ERR_USAGE, "container: gpus=%g: say a part of one, or whole "
			       "ones", p->gpus);
	if (p->gpus <= 0 || !p->devices.n)
		return 0;
	needs = device_of(b, p->workers - 1, p->gpus < 1 ? 0 : (size_t)p->gpus - 1) + 1;
	return needs <= p->devices.n ? 0 :
		err_set(e, ERR_USAGE, "container: %u workers with gpus=%g need %zu devices, and "
			"%zu are named", p->workers, p->gpus, needs, p->devices.n);
}

/* ---- one more */

static unsigned free_slot(const struct backend *b)
{
	for (unsigned slot = 0;; slot++) {
		const struct container *c = b->all.first;

		while (c && c->slot != slot)
			c = c->next;
		if (!c)
			return slot;
	}
}

/* What a step's project may not hide: the place's own folders. */
static bool can_cover(const char *path)
{
	static const char *const own[] = { "/proc", "/sys", "/dev", "/run/gg", "/opt/gg", "/usr",
					   "/etc", "/lib", "/lib64", "/bin", "/sbin", NULL };

	for (size_t i = 0; own[i]; i++)
		if (path_is_below(path, own[i]) || (i < 5 && path_is_below(own[i], path)))
			return false;
	return strcmp(path, "/tmp") != 0;
}

/* Half of its memory may hold objects. */
static void add_args(const struct backend *b, const char *name, struct arena *a,
		     struct strs *out)
{
	const char *const args[] = { "worker", "--connect", CONTAINER_TICKET, "--name", name,
				     "--patience", PATIENCE };
	unsigned jobs = (unsigned)ceil(b->scale.worker.cpus);

	for (size_t i = 0; i < sizeof args / sizeof *args; i++)
		strs_add(out, args[i]);
	strs_add(out, arena_printf(a, "--jobs=%u", jobs ? jobs : 1));
	if (b->opt.gpus > 0)
		strs_add(out, arena_printf(a, "--gpus=%g", b->opt.gpus));
	if (b->scale.worker.disk_bytes)
		strs_add(out, arena_printf(a, "--disk=%lluK", (unsigned long long)
					   b->scale.worker.disk_bytes >> 10));
	if (b->scale.worker.mem_bytes)
		strs_add(out, arena_printf(a, "--memory=%lluK", (unsigned long long)
					   b->scale.worker.mem_bytes >> 10));
	if (b->opt.mem_bytes)
		strs_add(out, arena_printf(a, "--cache=%lluK",
					   (unsigned long long)b->scale.worker.mem_bytes / 2048));
}

void container_begin_next(struct backend *b)
{
	unsigned slot = free_slot(b);
	struct strs args = { 0 }, devices = { 0 };
	struct arena a = { 0 };
	struct container_spec s = {
		.image = container_image_id(b->image), .user = b->user, .owner = b->owner,
		.run = b->run, .folder = b->shared, .cpus = b->opt.cpus,
		.mem_bytes = b->opt.mem_bytes, .args = &args, .devices = &devices,
	};

	container_image_used(b->image);
	s.name = arena_printf(&a, "gg-%s-%u", b->run, b->n_begun++);
	s.worker = b->opt.base ? b->opt.worker : NULL;
	s.project = b->o.project_root && can_cover(b->o.project_root) ? b->o.project_root : NULL;
	s.seccomp = !b->client.is_podman ? container_seccomp :
		    arena_printf(&a, "%s/seccomp.json", b->work.path);
	add_args(b, s.name, &a, &args);
	add_devices(b, slot, &a, &devices);
	container_begin(&b->all, &s, slot);
	strs_release(&args);
	strs_release(&devices);
	arena_release(&a);
}

/* ---- the whole */

/* Files are in memory there, of which half is the most that they may have. */
static struct room room_of_one(const struct container_options *p)
{
	struct room one = { .cpus = p->cpus > 0 ? p->cpus : 1, .gpus = p->gpus,
			    .mem_bytes = p->mem_bytes, .disk_bytes = p->disk_bytes };
	struct sysinfo info;

	if (p->mem_bytes)
		one.mem_bytes -= p->disk_bytes;
	else if (!p->disk_bytes && sysinfo(&info) == 0)
		one.disk_bytes = (uint64_t)info.totalram * info.mem_unit / 2 / p->workers;
	return one;
}

static int check_options(struct backend *b, struct err *e)
{
	struct container_options *p = &b->opt;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (p->image && p->base)
		return err_set(e, ERR_USAGE, "container: say image= or base=, not both");
	if (p->api && strcmp(p->api, "docker") != 0 && strcmp(p->api, "libpod") != 0)
		return err_set(e, ERR_USAGE, "container: api=%s: say docker or libpod", p->api);
	if (!p->workers)
		p->workers = cores > 0 ? (unsigned)cores : 1;
	if (p->min > p->workers)
		return err_set(e, ERR_USAGE, "container: min=%u is more than workers=%u", p->min,
			       p->workers);
	if (p->mem_bytes && p->disk_bytes > p->mem_bytes / 2)
		return err_set(e, ERR_USAGE, "container: disk= is of the memory there, and at most "
			       "half of mem=");
	b->scale = (struct autoscale){ .min = p->min, .max = p->workers,
				       .worker = room_of_one(p) };
	return check_devices(b, e);
}

/* The static worker beside gg, unless another is named. */
static int find_worker(struct backend *b, struct err *e)
{
	const char *self = b->o.self;

	if (!b->opt.worker)
		b->opt.worker = arena_printf(&b->arena, "%.*sgg-worker",
					     (int)(path_base(self) - self), self);
	if (!b->opt.base || access(b->opt.worker, X_OK) == 0)
		return 0;
	return err_set(e, ERR_MISSING, "container: base= needs the program %s, which is not "
		       "there: make worker, or worker=PATH", b->opt.worker);
}

static int share(struct backend *b, struct err *e)
{
	unsigned char random[4];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return err_sys(e, "a random name");
	snprintf(b->run, sizeof b->run, "%02x%02x%02x%02x", random[0], random[1], random[2],
		 random[3]);
	snprintf(b->user, sizeof b->user, "%u:%u", getuid() ? getuid() : NOBODY,
		 getgid() ? getgid() : NOBODY);
	b->shared = arena_printf(&b->arena, "%s/shared", b->work.path);
	if (mkdir(b->shared, 0755) < 0 || chmod(b->shared, 0755) < 0)
		return err_sys(e, "%s", b->shared);
	return file_write(AT_FDCWD, arena_printf(&b->arena, "%s/seccomp.json", b->work.path),
			  bytes_str(container_seccomp), 0644, 0, e);
}

static int open_pool(struct backend *b, void (*changed)(void *arg), struct err *e)
{
	const char *socket = arena_printf(&b->arena, "%s/pool", b->shared);
	const char *file = arena_printf(&b->arena, "%s/ticket", b->shared);
	struct pool_opts po = { .o = &b->o, .name = "container", .unix_path = socket,
				.worst_room = b->scale.worker, .lease_s = b->opt.lease_s,
				.changed = changed, .arg = b };
	struct buf text = { 0 };
	struct ticket t;
	int rc;

	if (pool_open(&po, &b->pool, e) < 0)
		return -1;
	if (chmod(socket, 0666) < 0)
		return err_sys(e, "%s", socket);
	pool_ticket(b->pool, &t);
	snprintf(t.url, sizeof t.url, "unix:" CONTAINER_SOCKET);
	ticket_write(&t, &text);
	rc = file_write(AT_FDCWD, file, buf_bytes(&text), 0444, 0, e);
	buf_release(&text);
	return rc;
}

int container_setup(struct backend *b, const char *rest, void (*changed)(void *arg),
		    void (*has_image)(void *arg, const struct err *e), struct err *e)
{
	struct buf owner = { 0 };
	bool is_static;
	struct container_image_opts io = { .client = &b->client, .o = &b->o, .done = has_image,
					   .arg = b };

	if (engine_words_read("container", rest, container_words, &b->arena, &b->opt, e) < 0 ||
	    check_options(b, e) < 0 || find_worker(b, e) < 0 ||
	    container_client_open(&b->client, &b->o, b->opt.socket, b->opt.workers, e) < 0)
		return -1;
	if (b->opt.api && *b->opt.api == 'd')
		b->client.api = &container_docker;
	container_owner(&owner);
	snprintf(b->owner, sizeof b->owner, "%s", owner.p);
	buf_release(&owner);
	if (work_folder_open(&b->work, b->o.store_dir, e) < 0 || share(b, e) < 0 ||
	    open_pool(b, changed, e) < 0)
		return -1;
	io.folder = b->work.path;
	/* The static worker has all in it; gg opens its library of HTTP. */
	is_static = access(b->opt.worker, X_OK) == 0;
	io.worker = is_static ? b->opt.worker : b->o.self;
	io.library = is_static ? "" : http_library(b->client.http);
	b->image = container_image_new(&io);
	container_remember(b->o.store_dir, b->client.socket);
	container_sweep(&b->sweep, &b->client);
	return 0;
}
