/* httpd.h - what serve.c uses of libmicrohttpd; httpd.c
 *
 * Private to src/exec.  It brings GnuTLS and what that needs, and few commands
 * serve anybody: so it is opened when one does, as libcurl is.
 */
#ifndef GG_HTTPD_H
#define GG_HTTPD_H

#include <microhttpd.h>
#include "base.h"

struct httpd_api {
	struct MHD_Daemon *(*start)(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback apc,
				    void *apc_arg, MHD_AccessHandlerCallback handle, void *arg,
				    ...);
	void (*stop)(struct MHD_Daemon *d);
	enum MHD_Result (*run)(struct MHD_Daemon *d);
	enum MHD_Result (*timeout)(struct MHD_Daemon *d, MHD_UNSIGNED_LONG_LONG *ms);
	const union MHD_DaemonInfo *(*daemon_info)(struct MHD_Daemon *d,
						   enum MHD_DaemonInfoType what, ...);
	const union MHD_ConnectionInfo *(*connection_info)(struct MHD_Connection *c,
							   enum MHD_ConnectionInfoType what,
							   ...);
	void (*suspend)(struct MHD_Connection *c);
	void (*resume)(struct MHD_Connection *c);
	const char *(*header)(struct MHD_Connection *c, enum MHD_ValueKind kind,
			      const char *name);
	enum MHD_Result (*answer)(struct MHD_Connection *c, unsigned status,
				  struct MHD_Response *r);
	struct MHD_Response *(*from_bytes)(size_t n, void *p, enum MHD_ResponseMemoryMode mode);
	struct MHD_Response *(*from_file)(uint64_t n, int fd, uint64_t offset);
	enum MHD_Result (*add_header)(struct MHD_Response *r, const char *name,
				      const char *value);
	void (*drop)(struct MHD_Response *r);
};

/* ERR_MISSING if there is none, or an older one than 0.9.75. */
int httpd_api_open(struct httpd_api *api, struct err *e);

#endif
