/* damage.c - a damaged database is told of, not crashed on
 *
 * The database is read through a map and trusts its own pages.  Some damage
 * to them therefore shows as a fault inside that map, or beyond its end in
 * the file; the kernel says where, and /proc/self/maps says whose place that
 * is.  Every other fault is gg's own and stays a crash.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "gg.h"

/* A handler has no argument of its own. */
static struct {
	char path[4096], text[4400];
} store_db;

static uintptr_t read_hex(const char **p)
{
	uintptr_t n = 0;

	for (;; (*p)++) {
		if (**p >= '0' && **p <= '9')
			n = n << 4 | (uintptr_t)(**p - '0');
		else if (**p >= 'a' && **p <= 'f')
			n = n << 4 | (uintptr_t)(**p - 'a' + 10);
		else
			return n;
	}
}

/* "from-to rwxp offset dev inode   path": is at in it, and path the database? */
static bool is_in_line(const char *line, uintptr_t at)
{
	const char *p = line, *slash = strchr(line, '/');
	uintptr_t from = read_hex(&p), to;

	p++;
	to = read_hex(&p);
	return at >= from && at < to && slash && strcmp(slash, store_db.path) == 0;
}

static bool is_in_database(uintptr_t at)
{
	static char line[5000], room[4096];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	while (fd >= 0 && (got = read(fd, room, sizeof room)) > 0)
		for (ssize_t i = 0; i < got; i++) {
			if (room[i] != '\n') {
				if (n < sizeof line - 1)
					line[n++] = room[i];
				continue;
			}
			line[n] = 0;
			n = 0;
			if (is_in_line(line, at))
				return true;
		}
	return false;
}

static void fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (is_in_database((uintptr_t)info->si_addr)) {
		if (write(2, store_db.text, strlen(store_db.text)) < 0)
			_exit(EXIT_STORE);
		_exit(EXIT_STORE);
	}
	signal(sig, SIG_DFL);           /* it happens again, and ends gg */
}

void damage_watch(const char *store_dir)
{
	struct sigaction sa = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO };

	snprintf(store_db.path, sizeof store_db.path, "%s/db", store_dir);
	snprintf(store_db.text, sizeof store_db.text, "gg: %s: the database is damaged; move it "
		 "away, then gg starts a new one and makes results again\n", store_db.path);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}
