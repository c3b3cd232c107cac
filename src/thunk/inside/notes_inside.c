/* notes_inside.c - the library that gg puts into programs which look a lot
 *
 * It stands before the C library's open, stat, access and readlink.  A look
 * at, or an opening for reading of, what the system's packages hold is noted
 * in memory that gg shares, and made at an address from which the filter lets
 * it by.  So is a look at what is missing in the project.  Everything else is
 * the same call as ever and stops as ever, so that nothing is lost where this
 * cannot help.
 *
 * It is linked against nothing and allocates nothing.  What it holds is one
 * mapping; descriptors, signals and the environment stay as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/auxvec.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "../notes_ring.h"

#define HIDDEN __attribute__((visibility("hidden")))
#define NEXT ((void *)-1L)       /* RTLD_NEXT */

/* Of the C library, when the program has one that has them. */
extern void *dlsym(void *handle, const char *name) __attribute__((weak));
extern unsigned long getauxval(unsigned long type) __attribute__((weak));

typedef int open_fn(const char *path, int flags, ...);
typedef int openat_fn(int dir, const char *path, int flags, ...);

/* Of a path in the project; the stack may be a signal handler's. */
enum { MISS_PATH = 700, MISS_ROOM = MISS_PATH + 32, GATE_BYTES = 4096 };

/* Set once, before main. */
struct inside {
	struct notes_ring *ring;
	uint64_t gate;
	int pid;
	open_fn *open;
	openat_fn *openat;
};
HIDDEN struct inside inside;

/* The same call as any. */
static long call(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = 0;
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return rc;
}

/* The call made at the gate, where the filter lets it by. */
static long pass(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long rc;

	__asm__ volatile("call *%[gate]"
			 : "=a"(rc)
			 : [gate] "r"(inside.gate), "a"(nr), "D"(a), "S"(b), "d"(c),
			   "r"(r10)
			 : "rcx", "r11", "memory");
	return rc;
}

static bool is_error(long rc)
{
	return rc < 0 && rc >= -4095;
}

static long result(long rc)
{
	if (!is_error(rc))
		return rc;
	*__errno_location() = (int)-rc;
	return -1;
}

/* A page with one system call in it, at an address that nobody else uses. */
static bool make_gate(uint64_t at)
{
	static const unsigned char code[] = { 0x0f, 0x05, 0xc3 }; /* syscall; ret */
	volatile unsigned char *page = (unsigned char *)at;

	if (call(SYS_mmap, (long)at, GATE_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1) != (long)at)
		return false;
	for (size_t i = 0; i < sizeof code; i++)
		page[i] = code[i];
	return call(SYS_mprotect, (long)at, GATE_BYTES, PROT_READ | PROT_EXEC, 0, 0) == 0;
}

__attribute__((constructor)) static void start(void)
{
	struct notes_ring *ring;
	long fd, at;

	if (getauxval && getauxval(AT_SECURE))
		return;
	if (dlsym) {
		*(void **)&inside.open = dlsym(NEXT, "open");
		*(void **)&inside.openat = dlsym(NEXT, "openat");
	}
	fd = call(SYS_openat, AT_FDCWD, (long)NOTES_RING, O_RDWR | O_CLOEXEC, 0, 0);
	if (is_error(fd))
		return;
	at = call(SYS_mmap, 0, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	call(SYS_close, fd, 0, 0, 0, 0);
	if (is_error(at))
		return;
	ring = (struct notes_ring *)at;
	inside.pid = (int)call(SYS_getpid, 0, 0, 0, 0, 0);
	inside.gate = ring->gate;
	if (make_gate(inside.gate))
		inside.ring = ring;
}

/* How much deeper the part of a path that begins at s leads. */
static int step(const char *s)
{
	if (*s == '/' || !*s || (*s == '.' && (s[1] == '/' || !s[1])))
		return 0;
	return *s == '.' && s[1] == '.' && (s[2] == '/' || !s[2]) ? -1 : 1;
}

/* The length of a path that packages own, 0 if it is none or leads up and out
 * again. */
static size_t system_path(const char *s)
{
	size_t n = 0;
	int depth = 0;

	/* What is no address at all is for the kernel to refuse. */
	if ((uintptr_t)s < 4096 || !notes_is_system(s))
		return 0;
	for (; s[n]; n++) {
		if (s[n] == '/')
			depth += step(s + n + 1);
		if (n >= NOTES_MAX_PATH - 1 || depth < 1)
			return 0;
	}
	return n;
}

static bool is_missing(const char *path)
{
	long st[32];                    /* more than a struct stat */

	return pass(SYS_newfstatat, AT_FDCWD, (long)path, (long)st,
		    AT_SYMLINK_NOFOLLOW) == -ENOENT;
}

/* The absolute path in `to` of a name in the project; its length, 0 if it is
 * elsewhere, too long, or goes up. */
static size_t project_path(int dir, const char *path, char to[MISS_ROOM])
{
	const char *root = inside.ring->root;
	size_t n = 0, at = 0;

	if ((uintptr_t)path < 4096 || !*path || (*path != '/' && dir != AT_FDCWD))
		return 0;
	if (*path != '/') {
		long got = call(SYS_getcwd, (long)to, MISS_PATH, 0, 0, 0);

		if (got < 2 || *to != '/' || step(path) < 0)
			return 0;
		n = (size_t)got - 1;
		to[n++] = '/';
	}
	for (size_t i = 0; path[i]; i++) {
		if (n == MISS_PATH || (path[i] == '/' && step(path + i + 1) < 0))
			return 0;
		to[n++] = path[i];
	}
	to[n] = 0;
	for (; root[at]; at++)
		if (to[at] != root[at])
			return 0;
	return at && to[at] == '/' ? n : 0;
}

/* Is nothing at this path of the project, and no folder above it one that gg
 * has yet to make?  The length of its absolute path in `to`, 0 if not. */
static size_t missing(int dir, const char *path, char to[MISS_ROOM])
{
	size_t n = project_path(dir, path, to), at = n, i;
	char cut[sizeof NOTES_PLACEHOLDER];
	bool is_free;

	if (!n || !is_missing(to))
		return 0;
	do {
		while (at > 1 && to[at] != '/')
			at--;
		to[at] = 0;
		is_free = !is_missing(to);
		to[at] = '/';
	} while (!is_free && at-- > 1);
	/* Its name is put where the path goes on, for a moment. */
	for (i = 0; i < sizeof cut; i++) {
		cut[i] = to[at + i];
		to[at + i] = NOTES_PLACEHOLDER[i];
	}
	is_free = is_free && is_missing(to);
	for (i = 0; i < sizeof cut; i++)
		to[at + i] = cut[i];
	return is_free ? n : 0;
}

/* Room for size bytes in one piece; 0 if there is none now. */
static struct note *reserve(struct notes_ring *r, uint64_t size, uint64_t *place)
{
	uint64_t used = atomic_load_explicit(&r->used, memory_order_relaxed), fill;

	do {
		uint64_t left = NOTES_RING_BYTES - used % NOTES_RING_BYTES;

		fill = left < size ? left : 0;
		if (used + fill + size - r->taken > NOTES_MOST_PENDING)
			return NULL;
	} while (!atomic_compare_exchange_weak(&r->used, &used, used + fill + size));
	if (fill) {
		struct note *f = (void *)(r->bytes + used % NOTES_RING_BYTES);

		atomic_store(&f->head, note_head(used, 0, NOTE_FILL));
	}
	*place = used + fill;
	return (void *)(r->bytes + *place % NOTES_RING_BYTES);
}

struct pass {
	struct note *note;
	uint64_t head;
};

static bool is_noting(void)
{
	return inside.ring && !inside.ring->is_off;
}

/* Note that path, of n bytes, is about to be looked at or read; false: it is
 * to be seen. */
static bool note(const char *path, size_t n, enum note_kind kind, struct pass *p)
{
	uint64_t size = (offsetof(struct note, path) + n + 8) & ~7ULL, place;

	p->note = n ? reserve(inside.ring, size, &place) : NULL;
	if (!p->note)
		return false;
	p->note->pid = inside.pid;
	for (size_t i = 0; i < n; i++)
		((volatile char *)p->note->path)[i] = path[i];
	p->head = note_head(place, size, kind);
	atomic_store(&p->note->head, p->head);
	return true;
}

static long finish(const struct pass *p, long rc)
{
	uint64_t head = p->head;

	atomic_compare_exchange_strong(&p->note->head, &head,
				       note_done(head, is_error(rc) ? (int)-rc : 0));
	return result(rc);
}

/* Most looks of a compiler are at what is not there. */
static bool notes_miss(int dir, const char *path, enum note_kind kind, struct pass *p)
{
	char to[MISS_ROOM];

	return note(to, missing(dir, path, to), kind, p);
}

/* A look by call nr, whose arguments are a to d. */
static long look(int dir, const char *path, long nr, const long args[4])
{
	struct pass p;

	if (is_noting()) {
		if (note(path, system_path(path), NOTE_LOOK, &p))
			return finish(&p, pass(nr, args[0], args[1], args[2], args[3]));
		if (notes_miss(dir, path, NOTE_LOOK, &p))
			return finish(&p, -ENOENT);
	}
	return result(call(nr, args[0], args[1], args[2], args[3], 0));
}

/* What may be open for reading without any effect. */
static bool only_reads(int flags)
{
	return (flags & ~(O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_LARGEFILE | O_DIRECTORY |
			  O_NOFOLLOW | O_NOATIME)) == O_RDONLY;
}

/* The real open is a place where a thread may be cancelled, so it is used
 * where an open may take long. */
static long do_open(int dir, const char *path, int flags, unsigned mode, bool is_at)
{
	struct pass p;

	if (only_reads(flags) && is_noting()) {
		if (note(path, system_path(path), NOTE_READ, &p))
			return finish(&p, pass(SYS_openat, dir, (long)path, flags, 0));
		if (notes_miss(dir, path, NOTE_READ, &p))
			return finish(&p, -ENOENT);
	}
	if (is_at && inside.openat)
		return inside.openat(dir, path, flags, mode);
	if (!is_at && inside.open)
		return inside.open(path, flags, mode);
	return result(call(SYS_openat, dir, (long)path, flags, mode, 0));
}

static unsigned mode_of(int flags, va_list v)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(v, unsigned) : 0;
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list v; \
		unsigned mode; \
		va_start(v, flags); \
		mode = mode_of(flags, v); \
		va_end(v); \
		return (int)do_open(AT_FDCWD, path, flags, mode, false); \
	}
#define OPENAT(name) \
	int name(int dir, const char *path, int flags, ...) \
	{ \
		va_list v; \
		unsigned mode; \
		va_start(v, flags); \
		mode = mode_of(flags, v); \
		va_end(v); \
		return (int)do_open(dir, path, flags, mode, true); \
	}
#define STAT_ARGS(dir, path, st, flags) \
	(const long[4]){ dir, (long)(path), (long)(st), flags }
#define STAT(name, flags) \
	int name(const char *path, void *st) \
	{ \
		return (int)look(AT_FDCWD, path, SYS_newfstatat, \
				 STAT_ARGS(AT_FDCWD, path, st, flags)); \
	}
#define STAT_AT(name) \
	int name(int dir, const char *path, void *st, int flags) \
	{ \
		return (int)look(dir, path, SYS_newfstatat, \
				 STAT_ARGS(dir, path, st, flags)); \
	}
/* As programs that were built before glibc 2.33 call them; the version says
 * the same on this machine. */
#define OLD_STAT(name, flags) \
	int name(int version, const char *path, void *st) \
	{ \
		(void)version; \
		return (int)look(AT_FDCWD, path, SYS_newfstatat, \
				 STAT_ARGS(AT_FDCWD, path, st, flags)); \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
STAT(stat, 0)
STAT(stat64, 0)
STAT(lstat, AT_SYMLINK_NOFOLLOW)
STAT(lstat64, AT_SYMLINK_NOFOLLOW)
STAT_AT(fstatat)
STAT_AT(fstatat64)
OLD_STAT(__xstat, 0)
OLD_STAT(__xstat64, 0)
OLD_STAT(__lxstat, AT_SYMLINK_NOFOLLOW)
OLD_STAT(__lxstat64, AT_SYMLINK_NOFOLLOW)

int access(const char *path, int mode)
{
	return (int)look(AT_FDCWD, path, SYS_access, (const long[4]){ (long)path, mode, 0, 0 });
}

/* The room that realpath() gives is what the filter lets by: filter.c. */
long readlink(const char *path, char *to, size_t room)
{
	if (room == NOTES_REALPATH_ROOM)
		return result(call(SYS_readlink, (long)path, (long)to, (long)room, 0, 0));
	return look(AT_FDCWD, path, SYS_readlink,
		    (const long[4]){ (long)path, (long)to, (long)room, 0 });
}
