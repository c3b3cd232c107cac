/* message_fields.h - fields of messages; message_fields.c
 *
 * Private to src/exec.  What is read is copied into the arena.
 */
#ifndef GG_MESSAGE_FIELDS_H
#define GG_MESSAGE_FIELDS_H

#include <jansson.h>
#include "message.h"

/* As it is where JSON can hold it, else in base64 under key64; nothing when it
 * is empty. */
/* Append o as text; o is gone. */
void field_put_json(json_t *o, struct buf *out);
void field_put(json_t *o, const char *key, struct bytes b);
void field_put_number(json_t *o, const char *key, double value);
void field_put_ids(json_t *o, const char *key, const struct id *v, size_t n);
/* The JSON itself, which is released, and the objects in it or behind it. */
void field_put_message(json_t *o, const struct message_objects *objects, bool is_json,
		      struct buf *out);

int field_read(json_t *o, const char *key, struct arena *a, struct bytes *out, struct err *e);
/* As a string, NULL when it is empty; no NUL in it. */
int field_read_string(json_t *o, const char *key, struct arena *a, const char **out,
		     struct err *e);
int field_read_number(json_t *o, const char *key, double *out, struct err *e);
int field_read_id(json_t *o, const char *key, struct id *out, struct err *e);
int field_read_ids(json_t *o, const char *key, struct arena *a, const struct id **out,
		  size_t *n, struct err *e);
/* An array, or an empty one. */
int field_read_array(json_t *o, const char *key, json_t **out, struct err *e);

/* The JSON of a message of either form (the caller's), and what is behind it. */
json_t *field_open(struct bytes text, bool *is_json, struct bytes *behind, struct err *e);
int field_read_objects(json_t *o, bool is_json, struct bytes behind, struct arena *a,
		      struct message_objects *out, struct err *e);

#endif
