/* message_fields.c - fields of messages, and objects in or behind the JSON */
#include "message_fields.h"

#include <stdlib.h>
#include <string.h>
#include "base64.h"

#define MAGIC "gg-message 1 "

enum { VERSION = 1, DIGITS_MAX = 12 };

/* ---- writing */

static void put64(json_t *o, const char *key, struct bytes b)
{
	struct buf text = { 0 };

	base64_encode(b, &text);
	json_object_set_new(o, key, json_stringn_nocheck(text.p, text.n));
	buf_release(&text);
}

void field_put(json_t *o, const char *key, struct bytes b)
{
	json_t *s = b.n ? json_stringn(b.p, b.n) : NULL;
	char key64[32];

	if (s) {
		json_object_set_new(o, key, s);
	} else if (b.n) {
		snprintf(key64, sizeof key64, "%s64", key);
		put64(o, key64, b);
	}
}

void field_put_number(json_t *o, const char *key, double value)
{
	if (value > 0)
		json_object_set_new(o, key, json_real(value));
}

void field_put_ids(json_t *o, const char *key, const struct id *v, size_t n)
{
	json_t *list = n ? json_array() : NULL;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(id_hex(&v[i]).s));
	if (list)
		json_object_set_new(o, key, list);
}

static void put_objects(json_t *o, const struct message_objects *list)
{
	json_t *all = json_object();

	for (size_t i = 0; i < list->n; i++)
		put64(all, id_hex(&list->v[i].id).s, list->v[i].bytes);
	json_object_set_new(o, "objects", all);
}

static void put_parts(json_t *o, const struct message_objects *list)
{
	json_t *all = json_array();

	for (size_t i = 0; i < list->n; i++) {
		json_array_append_new(all, json_string(id_hex(&list->v[i].id).s));
		json_array_append_new(all, json_integer((json_int_t)list->v[i].bytes.n));
	}
	json_object_set_new(o, "parts", all);
}

static int dump(const char *p, size_t n, void *arg)
{
	buf_add(arg, p, n);
	return 0;
}

void field_put_json(json_t *o, struct buf *out)
{
	if (!o || json_dump_callback(o, dump, out, JSON_COMPACT) < 0)
		abort();
	json_decref(o);
}

void field_put_message(json_t *o, const struct message_objects *objects, bool is_json,
		      struct buf *out)
{
	struct buf json = { 0 };

	if (is_json) {
		put_objects(o, objects);
		field_put_json(o, out);
		return;
	}
	put_parts(o, objects);
	field_put_json(o, &json);
	buf_printf(out, MAGIC "%zu\n", json.n);
	buf_add(out, json.p, json.n);
	for (size_t i = 0; i < objects->n; i++)
		buf_add(out, objects->v[i].bytes.p, objects->v[i].bytes.n);
	buf_release(&json);
}

/* ---- reading */

static struct bytes string_of(const json_t *s)
{
	return (struct bytes){ json_string_value(s), json_string_length(s) };
}

static int read64(json_t *s, const char *what, struct arena *a, struct bytes *out,
		  struct err *e)
{
	struct buf b = { 0 };
	bool is_good = json_is_string(s) && base64_decode(string_of(s), &b);

	if (is_good)
		*out = arena_bytes(a, buf_bytes(&b));
	buf_release(&b);
	return is_good ? 0 : err_set(e, ERR_BAD, "%s is no base64", what);
}

int field_read(json_t *o, const char *key, struct arena *a, struct bytes *out, struct err *e)
{
	json_t *s = json_object_get(o, key);
	char key64[32];

	*out = (struct bytes){ "", 0 };
	if (json_is_string(s)) {
		*out = arena_bytes(a, string_of(s));
		return 0;
	}
	if (s)
		return err_set(e, ERR_BAD, "\"%s\" is no text", key);
	snprintf(key64, sizeof key64, "%s64", key);
	s = json_object_get(o, key64);
	return s ? read64(s, key64, a, out, e) : 0;
}

int field_read_string(json_t *o, const char *key, struct arena *a, const char **out,
		     struct err *e)
{
	struct bytes b;

	*out = NULL;
	if (field_read(o, key, a, &b, e) < 0)
		return -1;
	if (memchr(b.p, 0, b.n))
		return err_set(e, ERR_BAD, "\"%s\" has a NUL in it", key);
	if (b.n)
		*out = arena_strn(a, b.p, b.n);
	return 0;
}

int field_read_number(json_t *o, const char *key, double *out, struct err *e)
{
	json_t *v = json_object_get(o, key);
	double d = json_number_value(v);

	if (v && (!json_is_number(v) || !(d >= 0 && d < 1e15)))
		return err_set(e, ERR_BAD, "\"%s\" is no amount", key);
	*out = d;
	return 0;
}

static int read_id(const json_t *s, const char *key, struct id *out, struct err *e)
{
	if (json_is_string(s) && id_parse(string_of(s), out))
		return 0;
	return err_set(e, ERR_BAD, "\"%s\" is no name of an object", key);
}

int field_read_id(json_t *o, const char *key, struct id *out, struct err *e)
{
	json_t *s = json_object_get(o, key);

	*out = (struct id){ 0 };
	return s ? read_id(s, key, out, e) : 0;
}

int field_read_array(json_t *o, const char *key, json_t **out, struct err *e)
{
	*out = json_object_get(o, key);
	if (*out && !json_is_array(*out))
		return err_set(e, ERR_BAD, "\"%s\" is no list", key);
	return 0;
}

int field_read_ids(json_t *o, const char *key, struct arena *a, const struct id **out,
		  size_t *n, struct err *e)
{
	json_t *list;
	struct id *v;

	if (field_read_array(o, key, &list, e) < 0)
		return -1;
	*n = json_array_size(list);
	*out = v = arena_alloc(a, (*n + 1) * sizeof *v);
	for (size_t i = 0; i < *n; i++)
		if (read_id(json_array_get(list, i), key, &v[i], e) < 0)
			return -1;
	return 0;
}

/* ---- objects */

static int take_object(const struct id *id, struct bytes b, struct message_objects *out,
		       struct err *e)
{
	struct id is = id_of(b);

	if (!id_equal(&is, id))
		return err_set(e, ERR_BAD, "the object %.12s holds other bytes: it was "
			       "damaged on its way", id_hex(id).s);
	message_objects_add(out, id, b);
	return 0;
}

static int read_letters(json_t *all, struct arena *a, struct message_objects *out,
			struct err *e)
{
	const char *key;
	json_t *value;
	struct bytes b;
	struct id id;

	if (all && !json_is_object(all))
		return err_set(e, ERR_BAD, "\"objects\" is no object");
	json_object_foreach(all, key, value) {
		if (!id_parse(bytes_str(key), &id))
			return err_set(e, ERR_BAD, "\"%.80s\" is no name of an object", key);
		if (read64(value, key, a, &b, e) < 0 || take_object(&id, b, out, e) < 0)
			return -1;
	}
	return 0;
}

static int read_parts(json_t *o, struct bytes behind, struct message_objects *out,
		      struct err *e)
{
	json_t *all;
	struct id id;

	if (field_read_array(o, "parts", &all, e) < 0)
		return -1;
	for (size_t i = 0; i + 1 < json_array_size(all); i += 2) {
		json_t *size = json_array_get(all, i + 1);
		json_int_t n = json_integer_value(size);

		if (read_id(json_array_get(all, i), "parts", &id, e) < 0)
			return -1;
		if (!json_is_integer(size) || n < 0 || (uint64_t)n > behind.n)
			return err_set(e, ERR_BAD, "its parts are cut short");
		if (take_object(&id, (struct bytes){ behind.p, (size_t)n }, out, e) < 0)
			return -1;
		behind.p += n;
		behind.n -= (size_t)n;
	}
	if (json_array_size(all) % 2 || behind.n)
		return err_set(e, ERR_BAD, "its parts are not those that it names");
	return 0;
}

int field_read_objects(json_t *o, bool is_json, struct bytes behind, struct arena *a,
		      struct message_objects *out, struct err *e)
{
	int rc;

	*out = (struct message_objects){ .n = 0 };
	rc = is_json ? read_letters(json_object_get(o, "objects"), a, out, e) :
		read_parts(o, behind, out, e);
	if (rc < 0)
		message_objects_release(out);
	return rc;
}

/* ---- the two forms */

/* The JSON of the form with parts. */
static bool split(struct bytes text, struct bytes *json, struct bytes *behind)
{
	size_t at = sizeof MAGIC - 1, n = 0, first = at;

	for (; at < text.n && text.p[at] >= '0' && text.p[at] <= '9'; at++) {
		if (at - first == DIGITS_MAX)
			return false;
		n = 10 * n + (size_t)(text.p[at] - '0');
	}
	if (at == first || at >= text.n || text.p[at] != '\n' || n > text.n - at - 1)
		return false;
	*json = (struct bytes){ text.p + at + 1, n };
	*behind = (struct bytes){ json->p + n, text.n - at - 1 - n };
	return true;
}

json_t *field_open(struct bytes text, bool *is_json, struct bytes *behind, struct err *e)
{
	json_error_t where;
	json_int_t version;
	json_t *o;

	*behind = (struct bytes){ "", 0 };
	*is_json = !bytes_start(text, MAGIC);
	if (!*is_json && !split(text, &text, behind)) {
		err_set(e, ERR_BAD, "message: it is cut short");
		return NULL;
	}
	o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
	version = json_integer_value(json_object_get(o, "gg"));
	if (!o)
		err_set(e, ERR_BAD, "message, line %d, column %d: %s", where.line,
			where.column, where.text);
	else if (version == VERSION)
		return o;
	else
		err_set(e, ERR_BAD, "message: it is not of gg's version %d", VERSION);
	json_decref(o);
	return NULL;
}
