/* registry.h - an image goes to a registry: the OCI Distribution API
 *
 * src/exec/registry.c (blobs and manifest), registry_call.c (requests,
 * failures), registry_auth.c (logging in), reference.c (names).
 *
 * What the registry has is not sent.  An upload that was cut off goes on where
 * it stopped, also in another process: its place is kept in the store.
 */
#ifndef GG_REGISTRY_H
#define GG_REGISTRY_H

#include "http.h"
#include "image.h"

/* HOST[:PORT]/NAME[:TAG], the tag "latest" unless given. */
struct reference {
	const char *host;               /* with its port */
	const char *name, *tag;
};
/* Strings live in a.  ERR_USAGE says what is wrong with it. */
int reference_parse(const char *text, struct arena *a, struct reference *out,
		    struct err *e);

enum registry_step {
	REGISTRY_HAS,           /* the blob is there already */
	REGISTRY_MOUNTED,       /* taken over from another name there */
	REGISTRY_RESUMED,       /* an earlier upload goes on: n_bytes are there */
	REGISTRY_SENT,
	REGISTRY_DONE,          /* the manifest stands */
};

struct registry_opts {
	struct http *http;
	struct store *store;            /* remembers; may be NULL */
	struct reference to;
	const char *user, *password;    /* NULL: nobody in particular */
	bool trusts_anyone;             /* plain http is good enough too */
	uint32_t chunk_bytes;           /* 0: 16 MiB */
	void (*event)(void *arg, enum registry_step step, const struct image_blob *b,
		      uint64_t n_bytes);
	void *arg;
};

/* Send the image that is in the archive; serves the loop meanwhile.  Plain http
 * is spoken with this machine itself only, unless trusts_anyone.  ERR_RETRY:
 * the registry is down or busy, later the upload goes on; ERR_REFUSED: user,
 * password or permission; ERR_IO: the registry is full or ill. */
int registry_push(const struct registry_opts *o, const struct image *m, int archive,
		  struct err *e);

#endif
