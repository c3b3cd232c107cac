/* worker_words.c - what a worker and its dispatcher tell each other, as JSON
 *
 *     hello  { "gg": 1, "name", "host", "cpus", "gpus", "mem", "disk", "slots",
 *              "closures": [ID..], "holds": [ID..] }
 *            { "worker": "w17", "beat_s": 5, "lease_s": 30 }
 *     beat   { "gg": 1, "running": [REQUEST-ID..], "added": [ID..],
 *              "dropped": [ID..], "closures": [ID..], "ends": true }
 *            { "cancel": [REQUEST-ID..], "retire": true }
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "message_fields.h"
#include "worker_private.h"

enum { BEAT_MAX_S = 3600 };

void words_hello(struct worker *w, const struct connect_opts *o, struct buf *out)
{
	json_t *j = json_pack("{s:i s:I}", "gg", 1, "slots", (json_int_t)o->n_slots);
	struct arena a = { 0 };
	const struct id *ids;
	size_t n;

	field_put(j, "name", bytes_str(o->name));
	field_put(j, "host", bytes_str(o->host));
	json_object_set_new(j, "cpus", json_real(o->cpus));
	json_object_set_new(j, "gpus", json_real(o->gpus));
	json_object_set_new(j, "mem", json_integer((json_int_t)o->mem_bytes));
	json_object_set_new(j, "disk", json_integer((json_int_t)o->disk_bytes));
	n = worker_closures(w, &a, &ids);
	field_put_ids(j, "closures", ids, n);
	n = worker_holds(w, &a, &ids);
	field_put_ids(j, "holds", ids, n);
	arena_release(&a);
	field_put_json(j, out);
}

void words_beat(const struct worker_news *news, const char *const *running, size_t n,
		bool ends, struct buf *out)
{
	json_t *j = json_pack("{s:i}", "gg", 1), *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(running[i]));
	json_object_set_new(j, "running", list);
	field_put_ids(j, "added", news->added, news->n_added);
	field_put_ids(j, "dropped", news->dropped, news->n_dropped);
	field_put_ids(j, "closures", news->closures, news->n_closures);
	if (ends)
		json_object_set_new(j, "ends", json_true());
	field_put_json(j, out);
}

static json_t *load(struct bytes json, struct err *e)
{
	json_t *j = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(j))
		return j;
	json_decref(j);
	err_set(e, ERR_BAD, "the dispatcher speaks another language: is it gg?");
	return NULL;
}

/* Seconds that make sense, or what is usual. */
static double seconds(const json_t *j, const char *key, double usual)
{
	double s = json_number_value(json_object_get(j, key));

	return s > 0 && s <= BEAT_MAX_S ? s : usual;
}

int words_read_welcome(struct bytes json, struct welcome *out, struct err *e)
{
	json_t *j = load(json, e);
	const char *name = json_string_value(json_object_get(j, "worker"));
	int rc = 0;

	if (!j)
		return -1;
	if (!runtime_id_is_good(name) || strlen(name) >= sizeof out->name) {
		rc = err_set(e, ERR_BAD, "the dispatcher gave this worker no name");
	} else {
		snprintf(out->name, sizeof out->name, "%s", name);
		out->beat_s = seconds(j, "beat_s", 5);
		out->lease_s = seconds(j, "lease_s", 30);
	}
	json_decref(j);
	return rc;
}

static void read_ids(const json_t *list, struct arena *a, struct strs *out)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (runtime_id_is_good(json_string_value(one)))
			strs_add(out, arena_str(a, json_string_value(one)));
}

int words_read_beat(struct bytes json, struct arena *a, struct orders *out, struct err *e)
{
	json_t *j = load(json, e);

	if (!j)
		return -1;
	out->retire = json_is_true(json_object_get(j, "retire"));
	read_ids(json_object_get(j, "cancel"), a, &out->cancel);
	read_ids(json_object_get(j, "stop"), a, &out->stop);
	json_decref(j);
	return 0;
}
