/* httpd.c - libmicrohttpd, opened when it is first needed
 *
 * It is never closed: GnuTLS below it does not like to be taken away.
 */
#include "httpd.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libmicrohttpd.so.12"

enum { OLDEST = 0x00097500 };           /* suspends with epoll, sends 64-bit files */

static const struct symbol {
	const char *name;
	size_t at;                      /* in struct httpd_api */
} symbols[] = {
	{ "MHD_start_daemon", offsetof(struct httpd_api, start) },
	{ "MHD_stop_daemon", offsetof(struct httpd_api, stop) },
	{ "MHD_run", offsetof(struct httpd_api, run) },
	{ "MHD_get_timeout", offsetof(struct httpd_api, timeout) },
	{ "MHD_get_daemon_info", offsetof(struct httpd_api, daemon_info) },
	{ "MHD_get_connection_info", offsetof(struct httpd_api, connection_info) },
	{ "MHD_suspend_connection", offsetof(struct httpd_api, suspend) },
	{ "MHD_resume_connection", offsetof(struct httpd_api, resume) },
	{ "MHD_lookup_connection_value", offsetof(struct httpd_api, header) },
	{ "MHD_queue_response", offsetof(struct httpd_api, answer) },
	{ "MHD_create_response_from_buffer", offsetof(struct httpd_api, from_bytes) },
	{ "MHD_create_response_from_fd_at_offset64", offsetof(struct httpd_api, from_file) },
	{ "MHD_add_response_header", offsetof(struct httpd_api, add_header) },
	{ "MHD_destroy_response", offsetof(struct httpd_api, drop) },
};

/* "0.9.75" as the header writes it: 0x00097500. */
static unsigned long version_of(const char *text)
{
	unsigned major = 0, minor = 0, part = 0;

	if (sscanf(text, "%u.%u.%u", &major, &minor, &part) != 3)
		return 0;
	return (unsigned long)major << 24 | minor << 16 | part / 10 << 12 | part % 10 << 8;
}

static int check_version(void *library, struct err *e)
{
	const char *(*version)(void) = NULL;
	void *p = dlsym(library, "MHD_get_version");

	memcpy(&version, &p, sizeof p);
	if (!version || version_of(version()) < OLDEST)
		return err_set(e, ERR_MISSING, LIBRARY " is older than 0.9.75: a newer "
			       "libmicrohttpd is needed");
	return 0;
}

int httpd_api_open(struct httpd_api *api, struct err *e)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return err_set(e, ERR_MISSING, "cannot serve workers without libmicrohttpd (%s): "
			       "apt-get install libmicrohttpd12", dlerror());
	if (check_version(library, e) < 0)
		return err_wrap(e, "cannot serve workers");
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *p = dlsym(library, symbols[i].name);

		if (!p)
			return err_set(e, ERR_MISSING, "cannot serve workers: " LIBRARY " has "
				       "no %s: a newer libmicrohttpd is needed",
				       symbols[i].name);
		memcpy((char *)api + symbols[i].at, &p, sizeof p);
	}
	return 0;
}
