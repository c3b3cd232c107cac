/* cell.c - the cell process: requests in, reports out, until its feeder goes
 *
 * It starts once, goes behind its walls once, and then serves thousands of
 * thunks one after the other with nothing but file operations between them.
 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "file.h"
#include "roots.h"

enum { READ_BYTES = 1 << 16, SEND_BYTES = 1 << 18, SOCKET_BYTES = 1 << 20,
       IN_KEPT = 1 << 20 };

/* ---- the socket */

/* false once the other end is gone. */
static bool receive(struct cell *c, int flags)
{
	ssize_t n;

	if (c->taken == c->in.n) {
		if (c->in.room > IN_KEPT)
			buf_release(&c->in);
		else
			buf_reset(&c->in);
		c->taken = 0;
	}
	n = recv(CELL_FD, c->small, READ_BYTES, flags);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		c->is_cut_off = true;
		return false;
	}
	buf_add(&c->in, c->small, (size_t)n);
	return true;
}

/* The next whole frame, or 0 when there is none yet. */
static int next_frame(struct cell *c, struct frame *f)
{
	struct bytes left = { c->in.p + c->taken, c->in.n - c->taken };
	struct err e;
	int got = c->in.n ? frame_next(&left, f, &e) : 0;

	if (got < 0)
		c->is_cut_off = true;   /* no sense can be made of it any more */
	if (got == 1)
		c->taken = c->in.n - left.n;
	return got == 1;
}

static bool wait_frame(struct cell *c, struct frame *f)
{
	while (!c->is_cut_off && !next_frame(c, f))
		receive(c, 0);
	return !c->is_cut_off;
}

static void cell_obey(struct cell *c, const struct frame *f)
{
	c->is_cancelled |= f->kind == FRAME_CANCEL;
	c->is_stopping |= f->kind == FRAME_STOP;
}

void cell_listen(struct cell *c)
{
	struct frame f;

	receive(c, MSG_DONTWAIT);
	while (!c->is_cut_off && next_frame(c, &f))
		cell_obey(c, &f);
}

void cell_send(struct cell *c, bool all)
{
	size_t sent = 0;

	if (!all && c->out.n < SEND_BYTES)
		return;
	while (sent < c->out.n && !c->is_cut_off) {
		ssize_t n = send(CELL_FD, c->out.p + sent, c->out.n - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			c->is_cut_off = true;
		else if (n > 0)
			sent += (size_t)n;
	}
	buf_reset(&c->out);
}

/* ---- objects */

/* Ask the other end: its store knows more than it has committed. */
static int ask(struct cell *c, const struct id *id, struct bytes *out, struct err *e)
{
	struct frame f;
	struct object o;

	frame_id(&c->out, FRAME_NEED, id);
	cell_send(c, true);
	while (wait_frame(c, &f)) {
		cell_obey(c, &f);
		if ((f.kind != FRAME_OBJECT && f.kind != FRAME_LOST) ||
		    frame_read_object(f.body, &o, e) < 0 || !id_equal(&o.id, id))
			continue;
		if (f.kind == FRAME_LOST)
			break;
		*out = arena_bytes(&c->arena, o.bytes);
		return 0;
	}
	c->report.missing = *id;
	return err_set(e, ERR_MISSING, "the object %.12s is not in the store",
		       id_hex(id).s);
}

static int open_large(struct cell *c, const struct id *id)
{
	struct object_path p = store_object_path(id);
	int fd = openat(c->box.objects, p.s, O_RDONLY | O_CLOEXEC);
	struct stat st;

	/* Somebody wrote to it: whoever feeds the cell looks at it again. */
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_mtim.tv_sec != STORE_OBJECT_TIME)) {
		close(fd);
		return -1;
	}
	return fd;
}

int cell_object_open(struct cell *c, const struct id *id, struct bytes *out,
		     int *fd, struct err *e)
{
	const struct object *given = map_get(&c->given, id_key(id));
	uint64_t n;

	*fd = -1;
	if (given) {
		*out = given->bytes;
		return 0;
	}
	if (store_size(c->store, id, &n, e) == 0) {
		if (n > STORE_SMALL && (*fd = open_large(c, id)) >= 0)
			return 0;
		if (n <= STORE_SMALL && store_get(c->store, id, &c->arena, out, e) == 0)
			return 0;
	}
	return ask(c, id, out, e);
}

int cell_object(struct cell *c, const struct id *id, struct bytes *out,
		struct err *e)
{
	struct stat st;
	ssize_t n = -1;
	char *p;
	int fd;

	if (cell_object_open(c, id, out, &fd, e) < 0)
		return -1;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0) {
		p = arena_alloc(&c->arena, (size_t)st.st_size + 1);
		n = file_read_fd(fd, p, (size_t)st.st_size);
		*out = (struct bytes){ p, n < 0 ? 0 : (size_t)n };
	}
	close(fd);
	return n < 0 ? err_sys(e, "object %.12s", id_hex(id).s) : 0;
}

/* ---- serving */

static void serve_request(struct cell *c, struct bytes body)
{
	struct request r;
	struct err e;

	/* The frame's own place may move when more is received. */
	body = arena_bytes(&c->arena, body);
	if (frame_read_request(body, &c->arena, &r, &e) < 0) {
		c->is_cut_off = true;
		return;
	}
	for (size_t i = 0; i < r.n_objects; i++)
		*map_at(&c->given, id_key(&r.objects[i].id)) = &r.objects[i];
	c->request = &r;
	run_thunk(c);
	if (!c->is_cut_off) {
		frame_done(&c->out, &c->report);
		cell_send(c, true);
	}
	/* Another try is another cell's: the disk may have room again. */
	if (c->unfit.code == ERR_IO || c->unfit.code == ERR_RETRY)
		c->is_spoiled = true;
	if (verify_undo(c, &e) < 0 || layout_tidy(c, &e) < 0)
		c->is_spoiled = true;
	c->request = NULL;
	if (c->given.n)
		map_release(&c->given);
	arena_reset(&c->arena);
}

/* Does this kernel give two changes of a file two stamps, however close?  Only
 * then does an equal stamp prove that a file of a moment ago is the same. */
static bool sees_fine_stamps(int dirfd)
{
	int fd = openat(dirfd, "stamp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct stat before, after;
	bool is_fine = fd >= 0;

	for (int i = 0; i < 4 && is_fine; i++)
		is_fine = fstat(fd, &before) == 0 && pwrite(fd, "x", 1, 0) == 1 &&
			fstat(fd, &after) == 0 &&
			before.st_ctim.tv_nsec != after.st_ctim.tv_nsec;
	if (fd >= 0)
		close(fd);
	unlinkat(dirfd, "stamp", 0);
	return is_fine;
}

/* Without mounts of its own no closure can be the root. */
static void check_jail(struct cell *c)
{
	if (c->box.closure && c->box.jail < 0 && !c->unfit.code)
		err_set(&c->unfit, ERR_REFUSED, "--hermetic needs mounts of its own, which "
			"this machine does not permit (%s): allow user namespaces, or force "
			"without it", c->box.why);
}

static int inside(void *arg)
{
	struct cell *c = arg;
	struct frame f;

	c->uid = geteuid();
	spare_open(c);
	c->has_fine_stamps = sees_fine_stamps(c->box.work);
	if (chdir(c->box.seen_root) < 0)
		return 1;
	check_jail(c);
	frame_hello(&c->out, c->box.walls, c->box.why);
	cell_send(c, true);
	while (!c->is_spoiled && wait_frame(c, &f))
		if (f.kind == FRAME_REQUEST)
			serve_request(c, f.body);
	return c->is_spoiled ? CELL_RETIRED : 0;
}

static int settle(struct cell *c, struct err *e)
{
	static const struct rlimit no_core = { 0, 0 };
	sigset_t none;
	int size = SOCKET_BYTES;

	setsid();                       /* a terminal's signals are gg's to see */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	umask(022);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	setsockopt(CELL_FD, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (fcntl(CELL_FD, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, "a cell needs a socket as descriptor %d", CELL_FD);
	c->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	c->log_fd = memfd_create("log", MFD_CLOEXEC);
	if (c->null_fd < 0 || c->log_fd < 0 ||
	    fcntl(c->log_fd, F_SETFL, O_APPEND) < 0)
		return err_sys(e, "a cell's own files");
	c->stack = mem_alloc(CELL_CHILD_STACK);
	c->small = mem_alloc(STORE_SMALL + 1);
	c->now = &c->layouts[0];
	c->next = &c->layouts[1];
	return 0;
}

static int root_make_hex(struct cell *c, const char *store_dir)
{
	struct id id;
	struct err e;
	int fd;

	if (!id_parse(bytes_str(c->box.closure), &id))
		return err_set(&c->unfit, ERR_BAD, "%s is no closure", c->box.closure);
	if (root_make(c->store, store_dir, &id, &fd, &e) == 0)
		return close(fd);
	c->unfit = e;
	if (e.code == ERR_MISSING)
		c->unfit.code = ERR_REFUSED;
	return -1;
}

static int cell_run(struct cell *c, char **args, struct err *e)
{
	int status;

	c->box.project = args[1];
	if (settle(c, e) < 0 || store_open(args[0], STORE_READ_ONLY, &c->store, e) < 0)
		return -1;
	/* What is wrong with the closure is for the step to say. */
	if (c->box.closure && root_make_hex(c, args[0]) < 0)
		c->box.closure = NULL;
	if (sandbox_open(&c->box, args[0], args[2], e) < 0)
		return -1;
	status = sandbox_enter(&c->box, inside, c, e);
	if (dir_remove(AT_FDCWD, args[2], e) < 0)
		return -1;
	return status;
}

static void cell_free(struct cell *c)
{
	struct err ignored;

	store_close(c->store, &ignored);
	for (int i = 0; i < 2; i++) {
		arena_release(&c->layouts[i].arena);
		free(c->layouts[i].v);
	}
	buf_release(&c->in);
	buf_release(&c->out);
	spare_release(c);
	guard_free(c->guard);
	memory_kills_close(&c->kills);
	verify_release(c);
	strs_release(&c->overs);
	map_release(&c->hosts);
	map_release(&c->files);
	map_release(&c->given);
	arena_release(&c->known);
	arena_release(&c->arena);
	free(c->box.jail_path);
	free(c->stack);
	free(c->small);
	free(c);
}

/* "network", "gpus", "volatile", "closure=ID" */
static bool take_option(struct cell *c, const char *word)
{
	static const char closure[] = "closure=";

	if (strcmp(word, "network") == 0)
		return c->box.uses_network = true;
	if (strcmp(word, "gpus") == 0)
		return c->box.uses_gpus = true;
	if (strcmp(word, "volatile") == 0)
		return c->is_volatile = true;
	if (strncmp(word, closure, sizeof closure - 1) != 0)
		return false;
	c->box.closure = word + sizeof closure - 1;
	return true;
}

int cell_main(int argc, char **argv)
{
	struct cell *c = memset(mem_alloc(sizeof *c), 0, sizeof *c);
	bool is_right = argc >= 3;
	struct err e;
	int status = 3;

	memory_kills_open(&c->kills);
	for (int i = 3; i < argc; i++)
		is_right &= take_option(c, argv[i]);
	if (is_right) {
		status = cell_run(c, argv, &e);
		if (status < 0) {
			/* Nobody may be listening; then nobody minds. */
			frame_hello(&c->out, 0, e.text);
			cell_send(c, true);
			status = 3;
		}
	}
	cell_free(c);
	return status;
}
