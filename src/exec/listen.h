/* listen.h - a socket to be found at; listen.c
 *
 * Private to src/exec.
 */
#ifndef GG_LISTEN_H
#define GG_LISTEN_H

#include "base.h"

struct listener {
	int fd;
	char url[256];                  /* unix:/PATH or https://HOST:PORT */
	char *unix_path;                /* to be removed */
};

/* Listen at a unix socket (mode 0600; one that nobody listens at is replaced) or
 * at HOST:PORT, where port 0 is any.  ERR_USAGE: no such address; ERR_REFUSED:
 * somebody is there already; ERR_IO. */
int listener_open(const char *unix_path, const char *address, struct listener *out,
		  struct err *e);
void listener_close(struct listener *l);

#endif
