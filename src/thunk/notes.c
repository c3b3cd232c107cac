/* notes.c - which program gets the library, and what it noted
 *
 * The loader of a dynamic program asks early whether /etc/ld.so.preload is
 * there.  That call stops as all looks do, and gg may say yes where there is
 * none, hand over a file that names the library, and the library when it is
 * opened, and the ring when the library asks for it: all as descriptors put
 * into the stopped process.  So no environment and no file is changed.
 *
 * Whether it is worth it shows when a program has had it: what notes little
 * does not get it again.  A program keeps to stops if its loader was told
 * something by LD_ variables, if a sanitizer insists on coming first, or if
 * the system has a preload file of its own.
 */
#include "notes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "elf_needs.h"
#include "notes_image.h"
#include "notes_ring.h"

enum {
	WORTH_IT = 40,                  /* notes of one run */
	FIRST_RUNS = 2,                 /* that it gets for a trial */
	MAX_ENVIRONMENT = 1 << 20,
};

/* Pages where neither the kernel nor an allocator puts anything by itself. */
#define GATES_FROM UINT64_C(0x676700000000)
#define N_GATES UINT64_C(0x100000)

/* A file that is executed. */
struct program {
	dev_t dev;
	ino_t ino;
	struct timespec changed;
	bool can;
	unsigned n_runs, n_notes;
};

/* What a process was promised, in the order in which it asks. */
enum step { STEP_NONE, STEP_PRELOAD, STEP_LIBRARY, STEP_RING };

struct promise {
	enum step next;
	struct program **started;       /* its loader has yet to ask: what to
					 * remember by the path of its execve */
	struct program *program;
};

struct notes {
	pthread_mutex_t lock;           /* of programs and promises */
	struct map programs, promises;  /* by path; by pid */
	struct map started;             /* path as executed to struct program * */
	struct arena arena;
	atomic_uint n_promised;         /* that wait for a next step */
	int files[STEP_RING + 1];       /* memory files */
	pthread_mutex_t taking;         /* of what follows */
	struct notes_ring *ring;
	uint64_t gate;
	_Atomic uint64_t taken;
	bool is_bad;
};

static const char preload_text[] = NOTES_LIBRARY "\n";

/* A memory file of these bytes that nobody can change. */
static int sealed(const void *p, size_t n)
{
	int fd = memfd_create("gg-notes", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (write(fd, p, n) == (ssize_t)n &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK |
				   F_SEAL_SEAL) == 0)
		return fd;
	close(fd);
	return -1;
}

static int make_ring(struct notes *n)
{
	int fd = memfd_create("gg-notes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof *n->ring) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		p = mmap(NULL, sizeof *n->ring, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		n->ring = p;
	return fd;
}

struct notes *notes_new(const char *root)
{
	struct notes *n;
	char inside[4200];
	uint64_t page;

	/* Packages and a project in one place cannot be told apart. */
	snprintf(inside, sizeof inside, "%s/", root);
	if (notes_is_system(inside))
		return NULL;
	n = mem_alloc(sizeof *n);
	*n = (struct notes){ .files = { -1, -1, -1, -1 } };
	pthread_mutex_init(&n->lock, NULL);
	pthread_mutex_init(&n->taking, NULL);
	n->files[STEP_PRELOAD] = sealed(preload_text, sizeof preload_text - 1);
	n->files[STEP_LIBRARY] = sealed(notes_image, notes_image_size);
	n->files[STEP_RING] = make_ring(n);
	if (n->files[STEP_PRELOAD] < 0 || n->files[STEP_LIBRARY] < 0 || !n->ring ||
	    getrandom(&page, sizeof page, 0) != sizeof page) {
		notes_free(n);
		return NULL;
	}
	n->gate = GATES_FROM + (page % N_GATES << 12);
	n->ring->gate = n->gate;
	if (strlen(root) < sizeof n->ring->root)
		memcpy(n->ring->root, root, strlen(root));
	return n;
}

void notes_free(struct notes *n)
{
	if (!n)
		return;
	if (n->ring)
		munmap(n->ring, sizeof *n->ring);
	for (int i = STEP_PRELOAD; i <= STEP_RING; i++)
		if (n->files[i] >= 0)
			close(n->files[i]);
	map_release(&n->programs);
	map_release(&n->promises);
	map_release(&n->started);
	arena_release(&n->arena);
	pthread_mutex_destroy(&n->lock);
	pthread_mutex_destroy(&n->taking);
	free(n);
}

uint64_t notes_gate(const struct notes *n)
{
	return n ? n->gate : 0;
}

/* ---- which program */

static bool is_sanitizer(const char *library)
{
	static const char *const names[] = { "libasan", "libtsan", "libhwasan", "liblsan",
					     "libclang_rt" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strstr(library, names[i]))
			return true;
	return false;
}

/* Has it the C library that this library is made for, and nothing that has to
 * come first? */
static bool can_have(const char *path)
{
	struct arena a = { 0 };
	struct elf_needs needs = { 0 };
	bool can = elf_needs(path, &a, &needs) && needs.needed.n &&
		   strcmp(needs.needed.v[0], "/lib64/ld-linux-x86-64.so.2") == 0;

	for (size_t i = 1; i < needs.needed.n; i++)
		can = can && !is_sanitizer(needs.needed.v[i]);
	strs_release(&needs.needed);
	arena_release(&a);
	return can;
}

/* Was the loader of this process told anything of its own? */
static bool has_loader_variables(pid_t pid)
{
	char path[48], part[4096 + 4];
	bool found = true;
	size_t kept = 0;
	ssize_t k = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	for (size_t all = 0; all < MAX_ENVIRONMENT; all += (size_t)k) {
		k = read(fd, part + kept, sizeof part - kept);
		if (k <= 0)
			break;
		kept += (size_t)k;
		/* The first string has no NUL before it. */
		if ((all == 0 && kept >= 3 && memcmp(part, "LD_", 3) == 0) ||
		    memmem(part, kept, "\0LD_", 4))
			goto out;
		memmove(part, part + kept - (kept < 3 ? kept : 3), kept < 3 ? kept : 3);
		kept = kept < 3 ? kept : 3;
	}
	found = k != 0;
out:
	close(fd);
	return found;
}

/* The program of a process, under lock; NULL if it cannot be known. */
static struct program *program_of(struct notes *n, pid_t pid)
{
	char link[48], path[4096];
	struct stat st;
	ssize_t k;
	struct program *p;

	snprintf(link, sizeof link, "/proc/%d/exe", pid);
	k = readlink(link, path, sizeof path - 1);
	if (k <= 0 || stat(link, &st) < 0)
		return NULL;
	path[k] = '\0';
	p = map_get(&n->programs, bytes_str(path));
	if (p && p->dev == st.st_dev && p->ino == st.st_ino &&
	    p->changed.tv_sec == st.st_ctim.tv_sec &&
	    p->changed.tv_nsec == st.st_ctim.tv_nsec)
		return p;
	p = arena_alloc(&n->arena, sizeof *p);
	*p = (struct program){ .dev = st.st_dev, .ino = st.st_ino, .changed = st.st_ctim,
			       .can = !(st.st_mode & (S_ISUID | S_ISGID)) &&
				      can_have(link) };
	*map_at(&n->programs, bytes_str(arena_str(&n->arena, path))) = p;
	return p;
}

static bool is_worth_it(const struct program *p)
{
	return p->can && (p->n_runs < FIRST_RUNS || p->n_notes / WORTH_IT >= p->n_runs);
}

static struct promise *promise_of(struct notes *n, pid_t pid, bool is_new)
{
	struct bytes key = { (const char *)&pid, sizeof pid };
	struct promise *p = map_get(&n->promises, key);

	if (p || !is_new)
		return p;
	p = arena_alloc(&n->arena, sizeof *p);
	*p = (struct promise){ 0 };
	key.p = memcpy(arena_alloc(&n->arena, sizeof pid), &pid, sizeof pid);
	*map_at(&n->promises, key) = p;
	return p;
}

static void set_next(struct notes *n, struct promise *p, enum step next)
{
	n->n_promised += (next != STEP_NONE) - (p->next != STEP_NONE);
	p->next = next;
}

/* What is known by its path to make no use of it is not asked about again; a
 * script's interpreter counts for the script. */
void notes_exec(struct notes *n, const struct call *c)
{
	struct bytes path = bytes_str(c->ev.path);
	struct program **started;

	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	started = map_get(&n->started, path);
	if (!started) {
		started = arena_alloc(&n->arena, sizeof(struct program *));
		*started = NULL;
		*map_at(&n->started, arena_bytes(&n->arena, path)) = started;
	}
	promise_of(n, c->ev.pid, true)->started =
		*started && !is_worth_it(*started) ? NULL : started;
	pthread_mutex_unlock(&n->lock);
}

void notes_stop(struct notes *n)
{
	if (n)
		n->ring->is_off = 1;
}

/* Once for each execve: a program may ask for that file, too. */
static bool promise(struct notes *n, pid_t pid)
{
	struct program *program = NULL;
	struct promise *p;
	bool promises = false;

	pthread_mutex_lock(&n->lock);
	p = promise_of(n, pid, false);
	if (p && p->started && access(NOTES_PRELOAD, F_OK) < 0) {
		program = program_of(n, pid);
		*p->started = program;
		p->started = NULL;
	}
	if (program && is_worth_it(program) && !has_loader_variables(pid)) {
		set_next(n, p, STEP_PRELOAD);
		p->program = program;
		program->n_runs++;
		promises = true;
	}
	pthread_mutex_unlock(&n->lock);
	return promises;
}

bool notes_offer(struct notes *n, int listener, const struct call *c)
{
	struct seccomp_notif_resp r = { .id = c->q.id };

	if (!n || c->q.data.nr != SYS_access || strcmp(c->ev.path, NOTES_PRELOAD) != 0 ||
	    n->ring->is_off || !promise(n, c->ev.pid))
		return false;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r) == 0;
}

/* ---- what it opens */

static const char *const opened[] = {
	[STEP_PRELOAD] = NOTES_PRELOAD, [STEP_LIBRARY] = NOTES_LIBRARY,
	[STEP_RING] = NOTES_RING,
};

/* Put a descriptor of f into the process as the answer to c: one of its own,
 * since what shares one shares the place where it reads. */
static bool hand_over(int f, int flags, int listener, const struct call *c)
{
	struct seccomp_notif_addfd add = { .id = c->q.id, .flags = SECCOMP_ADDFD_FLAG_SEND,
					   .newfd_flags = O_CLOEXEC };
	char path[40];
	int fd, rc;

	snprintf(path, sizeof path, "/proc/self/fd/%d", f);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return false;
	add.srcfd = (uint32_t)fd;
	rc = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	close(fd);
	return rc >= 0;
}

bool notes_answer(struct notes *n, int listener, const struct call *c)
{
	struct promise *p;
	enum step step = STEP_NONE;

	if (!n || !n->n_promised || !c->has_event || c->q.data.nr != SYS_openat)
		return false;
	pthread_mutex_lock(&n->lock);
	p = promise_of(n, c->ev.pid, false);
	if (p && p->next != STEP_NONE && strcmp(c->ev.path, opened[p->next]) == 0) {
		step = p->next;
		set_next(n, p, step == STEP_RING ? STEP_NONE : step + 1);
	}
	pthread_mutex_unlock(&n->lock);
	return step != STEP_NONE &&
	       hand_over(n->files[step], step == STEP_RING ? O_RDWR : O_RDONLY, listener, c);
}

/* ---- what it noted */

bool notes_are_there(const struct notes *n)
{
	return n && n->ring->used != n->taken;
}

bool notes_are_many(const struct notes *n)
{
	return n && n->ring->used - n->taken > NOTES_MOST_PENDING / 4;
}

static void count(struct notes *n, pid_t pid)
{
	struct promise *p;

	pthread_mutex_lock(&n->lock);
	p = promise_of(n, pid, false);
	if (p && p->program)
		p->program->n_notes++;
	pthread_mutex_unlock(&n->lock);
}

/* The size of the note at `taken`, and the event; 0 if it is not written yet.
 * -1 if it is no note. */
static int read_note(const struct notes *n, uint64_t limit, char *path,
		     struct trace_event *ev)
{
	uint64_t at = n->taken % NOTES_RING_BYTES, left = NOTES_RING_BYTES - at, size;
	struct note *x = (void *)(n->ring->bytes + at);
	uint64_t head = atomic_load(&x->head);
	unsigned kind = head >> 17 & 7;

	if (!head)
		return 0;
	size = kind == NOTE_FILL ? left : (head >> 20 & 0xfff) * 8;
	if (head >> 32 != (uint32_t)(n->taken / 8) || size > left || size > limit ||
	    kind > NOTE_READ || kind < NOTE_FILL ||
	    (kind != NOTE_FILL && size < sizeof *x))
		return -1;
	ev->kind = kind == NOTE_READ ? TRACE_READ : TRACE_LOOK;
	ev->pid = x->pid;
	ev->error = head & 1 << 16 ? (int)(head & 0xffff) : -1;
	ev->path = kind == NOTE_FILL ? NULL : path;
	if (ev->path) {
		memcpy(path, x->path, size - offsetof(struct note, path));
		path[size - offsetof(struct note, path)] = '\0';
		if (*path != '/')
			return -1;
	}
	return (int)size;
}

const char *notes_take(struct notes *n,
		       void (*tell)(void *arg, const struct trace_event *ev), void *arg)
{
	char path[NOTES_MAX_PATH * 8];
	const char *why = NULL;
	uint64_t used;

	if (!notes_are_there(n))
		return NULL;
	pthread_mutex_lock(&n->taking);
	used = n->ring->used;
	while (n->taken != used && !n->is_bad) {
		struct trace_event ev = { .is_late = true };
		int size = used - n->taken > NOTES_RING_BYTES ? -1 :
			   read_note(n, used - n->taken, path, &ev);

		if (size == 0)
			break;
		if (size < 0) {
			n->is_bad = true;
			n->ring->is_off = 1;
			why = "a program wrote over what gg shares with it";
			break;
		}
		if (ev.path) {
			count(n, ev.pid);
			tell(arg, &ev);
		}
		memset(n->ring->bytes + n->taken % NOTES_RING_BYTES, 0, (size_t)size);
		n->taken += (unsigned)size;
	}
	n->ring->taken = n->taken;
	pthread_mutex_unlock(&n->taking);
	return why;
}

bool notes_are_lost(const struct notes *n)
{
	return n && !n->is_bad && n->ring->used != n->taken;
}
