/* observation.c - what running a thunk took, as it is kept
 *
 * There is one for each thunk, in memory as long as the store is mapped, so that
 * it is short:
 *
 *	u8 version; u8 status; i16 code; u32 seconds since 1970
 *	f32 seconds, of cpu, waited, dollars; u32 KiB; u64 bytes in, out
 *	id of the log, if it printed anything; the place
 *
 * Records of before, a version byte and eight bytes a member, are read too.
 */
#include <string.h>
#include "exec.h"

enum { VERSION = 2, HEAD_BYTES = 44, HAS_LOG = 0x80 };

static void put(char **at, const void *p, size_t n)
{
	memcpy(*at, p, n);
	*at += n;
}

static void take(const char **at, void *p, size_t n)
{
	memcpy(p, *at, n);
	*at += n;
}

int observation_put(struct store *s, const struct id *thunk,
		    const struct observation *o, struct err *e)
{
	const float numbers[] = { (float)o->seconds, (float)o->cpu_seconds,
				  (float)o->waited_s, (float)o->dollars };
	const uint64_t kib = o->max_rss_bytes >> 10;
	const uint32_t date = (uint32_t)o->date_s;
	const uint32_t rss = kib < UINT32_MAX ? (uint32_t)kib : UINT32_MAX;
	const uint8_t head[] = {
		VERSION, (uint8_t)(o->status | (id_is_zero(&o->log) ? 0 : HAS_LOG)),
	};
	const int16_t code = (int16_t)o->code;
	char room[HEAD_BYTES + ID_BYTES + sizeof o->place], *at = room;

	put(&at, head, sizeof head);
	put(&at, &code, sizeof code);
	put(&at, &date, sizeof date);
	put(&at, numbers, sizeof numbers);
	put(&at, &rss, sizeof rss);
	put(&at, &o->in_bytes, sizeof o->in_bytes);
	put(&at, &o->out_bytes, sizeof o->out_bytes);
	if (head[1] & HAS_LOG)
		put(&at, &o->log, sizeof o->log);
	put(&at, o->place, strnlen(o->place, sizeof o->place - 1));
	return store_table_put(s, TABLE_OBSERVATION, id_key(thunk),
			       (struct bytes){ room, (size_t)(at - room) }, e);
}

static bool decode(struct bytes b, struct observation *o)
{
	const char *at = b.p;
	float numbers[4];
	uint32_t date, rss;
	uint8_t head[2];
	int16_t code;
	size_t n_place;

	if (b.n < HEAD_BYTES)
		return false;
	take(&at, head, sizeof head);
	take(&at, &code, sizeof code);
	take(&at, &date, sizeof date);
	take(&at, numbers, sizeof numbers);
	take(&at, &rss, sizeof rss);
	*o = (struct observation){
		.date_s = date, .seconds = (double)numbers[0], .cpu_seconds = (double)numbers[1],
		.waited_s = (double)numbers[2], .dollars = (double)numbers[3],
		.max_rss_bytes = (uint64_t)rss << 10, .code = code,
		.status = (enum run_status)(head[1] & ~HAS_LOG) };
	take(&at, &o->in_bytes, sizeof o->in_bytes);
	take(&at, &o->out_bytes, sizeof o->out_bytes);
	n_place = b.n - HEAD_BYTES;
	if (head[1] & HAS_LOG && n_place < ID_BYTES)
		return false;
	if (head[1] & HAS_LOG) {
		take(&at, &o->log, sizeof o->log);
		n_place -= ID_BYTES;
	}
	if (n_place >= sizeof o->place || o->status >= RUN_STATUS_COUNT)
		return false;
	memcpy(o->place, at, n_place);
	return true;
}

/* As it was kept until there were engines elsewhere. */
static bool decode_old(struct bytes b, struct observation *o)
{
	struct {
		int64_t date_s;
		double seconds, cpu_seconds;
		uint64_t max_rss_bytes;
		int64_t code;
		struct id log;
	} r;

	if (b.n < 1 + sizeof r || b.p[0] != 1)
		return false;
	memcpy(&r, b.p + 1, sizeof r);
	*o = (struct observation){
		.date_s = r.date_s, .seconds = r.seconds, .cpu_seconds = r.cpu_seconds,
		.max_rss_bytes = r.max_rss_bytes, .code = (int)r.code, .log = r.log,
		.status = r.code == 0 ? RUN_OK : r.code > 128 ? RUN_SIGNALED : RUN_EXITED };
	return true;
}

int observation_get(struct store *s, const struct id *thunk,
		    struct observation *out, struct err *e)
{
	struct arena a = { 0 };
	struct bytes b;
	int rc = store_table_get(s, TABLE_OBSERVATION, id_key(thunk), &a, &b, e);

	if (rc == 0 && !(b.n && b.p[0] == VERSION ? decode(b, out) : decode_old(b, out)))
		rc = err_set(e, ERR_MISSING, "a record of another version");
	arena_release(&a);
	return rc;
}
