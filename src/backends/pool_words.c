/* pool_words.c - what workers say, from JSON: hello, beat, error */
#include "pool_private.h"

#include <jansson.h>
#include <string.h>

#define NAME_LETTERS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum { ERROR_MAX = 600 };

static json_t *load(struct bytes json, struct err *e)
{
	json_error_t why;
	json_t *o = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, &why);

	if (json_is_object(o))
		return o;
	json_decref(o);
	err_set(e, ERR_BAD, "no JSON object: %s", o ? "something else" : why.text);
	return NULL;
}

/* A name that may stand in reports: short and plain. */
static int read_name(json_t *o, const char *key, struct arena *a, const char **out,
		     struct err *e)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s || !*s || strlen(s) > POOL_NAME_MAX || strspn(s, NAME_LETTERS) != strlen(s))
		return err_set(e, ERR_BAD, "\"%s\" is no name of at most %d letters, digits, "
			       "dots, - and _", key, POOL_NAME_MAX);
	*out = arena_str(a, s);
	return 0;
}

static int read_amount(json_t *o, const char *key, double most, double *out, struct err *e)
{
	json_t *v = json_object_get(o, key);
	double d = json_number_value(v);

	if (v && (!json_is_number(v) || !(d >= 0 && d <= most)))
		return err_set(e, ERR_BAD, "\"%s\" is no amount up to %g", key, most);
	*out = d;
	return 0;
}

static int check_list(json_t *list, const char *key, struct err *e)
{
	if (list && !json_is_array(list))
		return err_set(e, ERR_BAD, "\"%s\" is no list", key);
	if (json_array_size(list) > POOL_LIST_MAX)
		return err_set(e, ERR_BAD, "\"%s\" has more than %d entries", key, POOL_LIST_MAX);
	return 0;
}

static int read_ids(json_t *o, const char *key, struct arena *a, struct id **out, size_t *n,
		    struct err *e)
{
	json_t *list = json_object_get(o, key);

	if (check_list(list, key, e) < 0)
		return -1;
	*n = json_array_size(list);
	*out = arena_alloc(a, (*n + 1) * sizeof **out);
	for (size_t i = 0; i < *n; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (!s || !id_parse(bytes_str(s), &(*out)[i]))
			return err_set(e, ERR_BAD, "\"%s\" has something that is no name of an "
				       "object", key);
	}
	return 0;
}

static int read_hello(json_t *o, struct arena *a, struct pool_hello *h, struct err *e)
{
	double mem, disk, slots;

	if (json_integer_value(json_object_get(o, "gg")) != 1)
		return err_set(e, ERR_BAD, "\"gg\" is not 1: the worker is of another version");
	if (read_name(o, "name", a, &h->name, e) < 0 || read_name(o, "host", a, &h->host, e) < 0 ||
	    read_amount(o, "cpus", 1e5, &h->room.cpus, e) < 0 ||
	    read_amount(o, "gpus", 1e4, &h->room.gpus, e) < 0 ||
	    read_amount(o, "mem", 1e15, &mem, e) < 0 ||
	    read_amount(o, "disk", 1e15, &disk, e) < 0 ||
	    read_amount(o, "slots", POOL_SLOTS_MAX, &slots, e) < 0 ||
	    read_ids(o, "closures", a, &h->closures, &h->n_closures, e) < 0 ||
	    read_ids(o, "holds", a, &h->holds, &h->n_holds, e) < 0)
		return -1;
	if (h->room.cpus <= 0)
		return err_set(e, ERR_BAD, "\"cpus\" is nothing");
	h->room.mem_bytes = (uint64_t)mem;
	h->room.disk_bytes = (uint64_t)disk;
	h->n_slots = slots < 1 ? 1 : (unsigned)slots;
	return 0;
}

int pool_read_hello(struct bytes json, struct arena *a, struct pool_hello *out, struct err *e)
{
	json_t *o = load(json, e);
	int rc;

	*out = (struct pool_hello){ .name = NULL };
	if (!o)
		return -1;
	rc = read_hello(o, a, out, e);
	json_decref(o);
	return rc;
}

static int read_running(json_t *o, struct arena *a, struct pool_beat *b, struct err *e)
{
	json_t *list = json_object_get(o, "running");

	if (check_list(list, "running", e) < 0)
		return -1;
	b->tells_running = list != NULL;
	b->running = arena_alloc(a, (json_array_size(list) + 1) * sizeof *b->running);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (!s)
			return err_set(e, ERR_BAD, "\"running\" has something that is no text");
		if (strlen(s) < POOL_ID_ROOM)
			b->running[b->n_running++] = arena_str(a, s);
	}
	return 0;
}

int pool_read_beat(struct bytes json, struct arena *a, struct pool_beat *out, struct err *e)
{
	json_t *o = load(json, e);
	int rc;

	*out = (struct pool_beat){ .n_running = 0 };
	if (!o)
		return -1;
	out->ends = json_is_true(json_object_get(o, "ends"));
	rc = read_running(o, a, out, e);
	if (rc == 0)
		rc = read_ids(o, "dropped", a, &out->dropped, &out->n_dropped, e);
	if (rc == 0)
		rc = read_ids(o, "added", a, &out->added, &out->n_added, e);
	if (rc == 0)
		rc = read_ids(o, "closures", a, &out->closures, &out->n_closures, e);
	json_decref(o);
	return rc;
}

const char *pool_read_error(struct bytes json, struct arena *a)
{
	struct buf line = { 0 };
	struct err ignored;
	json_t *o = load(json, &ignored), *s = json_object_get(o, "errorMessage");
	struct bytes said = { json_string_value(s), json_string_length(s) };
	const char *text;
	size_t n;

	for (; said.n && line.n < ERROR_MAX; said.p += n ? n : 1, said.n -= n ? n : 1) {
		n = bytes_printable(said);
		buf_add(&line, n ? said.p : "?", n ? n : 1);
	}
	text = line.n ? arena_strn(a, line.p, line.n) : "it does not say why";
	json_decref(o);
	buf_release(&line);
	return text;
}
