/* container_api.h - what is said to a container engine, and what it says
 *
 * Private to src/backends; container_api.c (requests, answers), container_spec.c
 * (a container as JSON).  Pure functions.
 *
 * Podman serves Docker's REST API and its own, libpod, on one socket; Docker
 * only the first.  Both differ in how a container is described and waited for,
 * and only libpod has CDI devices in podman 4.
 */
#ifndef GG_CONTAINER_API_H
#define GG_CONTAINER_API_H

#include "base.h"

/* Where a worker's container has what its dispatcher gives it: the ticket and
 * the pool's socket, both in a folder that is mounted read-only. */
#define CONTAINER_FOLDER "/run/gg"
#define CONTAINER_TICKET CONTAINER_FOLDER "/ticket"
#define CONTAINER_SOCKET CONTAINER_FOLDER "/pool"

/* Labels: who started it, and for which run of it. */
#define CONTAINER_OWNER "gg.owner"
#define CONTAINER_RUN "gg.run"

/* Images made of closures, for containers; their tags name what is in them. */
#define CONTAINER_MADE "localhost/gg-closures"
#define CONTAINER_CLOSURES "gg.closures"

/* A worker to be, shut in as far as its cells can bear. */
struct container_spec {
	const char *name;               /* plain: [a-z0-9-] */
	const char *image;              /* sha256:... */
	const char *user;               /* "65534:65534": cells need one that is
					 * not root, which without powers cannot
					 * make a user namespace of its own */
	const char *owner, *run;        /* labels */
	const char *folder;             /* here; becomes CONTAINER_FOLDER */
	const char *worker;             /* a program to mount, or NULL: the image
					 * has one */
	const char *project;            /* a path that steps shall see, or NULL */
	const char *seccomp;            /* a file for podman, the text for Docker */
	double cpus;                    /* 0: no limit */
	uint64_t mem_bytes;             /* 0: no limit */
	const struct strs *devices;     /* names by CDI */
	const struct strs *args;        /* of gg */
};

struct container_api {
	const char *name;
	void (*put_spec)(const struct container_spec *s, struct buf *out);
	const char *create;             /* POST; %s: the name */
	const char *wait;               /* POST; %s: the id */
	const char *remove;             /* DELETE, whatever it is doing */
	/* The exit code out of the answer.  ERR_BAD. */
	int (*read_wait)(struct bytes json, int *code, struct err *e);
};

extern const struct container_api container_libpod, container_docker;

/* Which of them somebody speaks whose answers have these values of the headers
 * Libpod-Api-Version and Api-Version, or NULL: NULL if it is neither. */
const struct container_api *container_api_of(const char *libpod, const char *docker);

/* "id" or "Id" of an answer; in a. */
int container_read_id(struct bytes json, struct arena *a, const char **id, struct err *e);

/* Of GET /images/NAME/json, in a. */
struct container_picture {
	const char *id;                 /* by which it is started */
	const char *digest;             /* NAME@sha256:..., by which others can get
					 * it; "" when it was made here */
	const char *closures;           /* those it satisfies, with blanks between,
					 * as gg image says; or NULL */
	const char *made;               /* its tag as CONTAINER_MADE, or "" */
};
int container_read_image(struct bytes json, struct arena *a, struct container_picture *out,
			 struct err *e);

/* Of GET /containers/ID/json. */
int container_read_state(struct bytes json, bool *ran_out_of_memory, struct err *e);

/* Of GET /containers/json: each with its owner's label ("" if none).  Strings
 * live during the call. */
int container_read_list(struct bytes json,
			void (*each)(void *arg, const char *id, const char *owner, bool is_up),
			void *arg, struct err *e);

/* Of GET /images/json: the tags of those that gg has made. */
int container_read_made(struct bytes json, void (*each)(void *arg, const char *tag), void *arg,
			struct err *e);

/* Of a pull or a load, which answer 200 and tell in lines of JSON what went
 * wrong: 0, or ERR_BAD with its words. */
int container_read_progress(struct bytes lines, struct err *e);

/* An answer that is no success, in words: what is the thing ("image debian:12"),
 * why, and the remedy when the cause is a known one. */
int container_refusal(const char *what, int status, struct bytes body, struct err *e);
/* Does such an answer say that the image is not there, or, as podman does while it is
 * being removed, that a part of it is not?  podman does by 500 too. */
bool container_lacks_image(struct bytes body);

/* Append text as a query holds it. */
void container_put_query(struct buf *out, const char *text);

/* What cells need beyond the usual: namespaces and mounts of their own.  The
 * rest that a kernel offers to privileged programs is refused. */
extern const char container_seccomp[];

#endif
