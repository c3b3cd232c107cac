/* http_body.h - where the body of an answer goes; http_body.c
 *
 * Private to src/exec.  libcurl hands over 16 KiB at a time, which is dear to write
 * one by one; and memory that is new for each large body is dear to get.
 */
#ifndef GG_HTTP_BODY_H
#define GG_HTTP_BODY_H

#include "http.h"

/* Add to what is to stand in the file from n_before on; late has what is not yet
 * there.  ERR_REFUSED: there is no room for so much; ERR_IO. */
int http_file_add(const struct http_file *to, uint64_t n_before, struct bytes b,
		  struct buf *late, struct err *e);
/* Write the rest of n_bytes. */
int http_file_end(const struct http_file *to, uint64_t n_bytes, struct buf *late,
		  struct err *e);

/* Large bodies of answers before, for those to come.  Zeroed is none. */
enum { HTTP_BODIES = 4, HTTP_BODY_MOST = 16 << 20 };
struct http_bodies {
	struct buf v[HTTP_BODIES];
};
/* An empty *out with room for n bytes. */
void http_bodies_take(struct http_bodies *s, size_t n, struct buf *out);
/* b is needed no more, and is empty afterwards. */
void http_bodies_give(struct http_bodies *s, struct buf *b);
void http_bodies_release(struct http_bodies *s);

#endif
