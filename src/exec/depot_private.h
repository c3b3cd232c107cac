/* depot_private.h - what the files of the depot share
 *
 * A place is one remote with what was seen of it.  An object on its way in is a
 * struct getting, one on its way out a struct putting: each exists once per id,
 * and whoever wants it waits at it.
 */
#ifndef GG_DEPOT_PRIVATE_H
#define GG_DEPOT_PRIVATE_H

#include "depot.h"

enum {
	PLACES_MAX = 16,
	GETS_MAX = 64, PUTS_MAX = 32, ASKS_MAX = 128,   /* in flight */
	GET_MEMORY = 1 << 20,           /* larger blobs go to files */
	KEY_ROOM = 4 + ID_HEX + 1,
};

enum way { WAY_IN, WAY_OUT, WAYS };

/* What people are told of once for each place. */
enum cause {
	CAUSE_DOWN, CAUSE_REFUSED_IN, CAUSE_REFUSED_OUT, CAUSE_ILL, CAUSE_LIAR, CAUSE_UNSIGNED,
	CAUSE_UNTRUSTED,
};

struct place {
	struct depot_remote r;
	struct remote_nature nature;
	uint64_t rests_until_ms[WAYS];  /* 0: it is well */
	uint32_t rest_ms[WAYS];         /* the last one */
	unsigned n_refused[WAYS];       /* in a row */
	unsigned told;                  /* bits of enum cause */
	struct err why[WAYS];
};

struct getting;
struct putting;
struct soon;

/* An object: where it rests, as bits of places, and where what has its key is
 * not it; on its way in, on its way out. */
struct known {
	struct id id;
	uint32_t at, bad;
	struct getting *get;
	struct putting *put;
};

struct depot {
	struct loop *loop;
	struct store *store;
	const struct keyring *keys;
	void (*notice)(void *arg, const char *text);
	void *notice_arg;
	struct place places[PLACES_MAX];
	size_t n_places;
	const char *uris[PLACES_MAX + 1];
	struct map known;               /* id -> struct known */
	struct arena arena;             /* of known */
	struct depot_counts counts;

	struct getting *gets, *get_first, **get_end;    /* all; those that queue */
	unsigned n_gets;
	bool gets_soon, puts_soon, asks_soon;
	struct fetching *fetchings;

	struct putting *puts, *put_first, **put_end;
	size_t n_later;                 /* that wait for a place to be well */
	unsigned n_puts;
	size_t n_behind;                /* publishings and puttings not ended */
	struct timer *again;            /* when a place has rested */
	struct pushing *pushings;
	struct drain *drains;
	struct err behind;              /* the first that could not be written */

	struct asking *ask_first, **ask_end, *asked;
	unsigned n_asks;

	struct soon *soon;
	struct timer *soon_timer;
};

/* depot.c */

/* May this place be asked now? */
bool place_is_up(const struct depot *d, size_t i, enum way w);
bool place_takes(const struct place *p, uint64_t n_bytes);
void place_answered(struct depot *d, size_t i, enum way w);
/* It failed, not only for this object: it rests for a while, or is told of. */
void place_failed(struct depot *d, size_t i, enum way w, const struct err *e);
void depot_tell(struct depot *d, size_t i, enum cause c, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

struct known *known_at(struct depot *d, const struct id *id);      /* made if absent */
uint32_t known_places(const struct depot *d, const struct id *id);

/* The places, as bits, where a value of this size belongs. */
uint32_t depot_targets(const struct depot *d, uint64_t n_bytes, const struct depot_hint *hint);
/* The same for one that anybody must be able to read, without those in `tried`. */
uint32_t depot_next_target(const struct depot *d, uint64_t n_bytes, uint32_t tried);

/* Call fn from the loop, soon.  Forgotten with the depot: then forget is. */
void depot_soon(struct depot *d, void (*fn)(void *arg), void *arg);

void object_key(char out[KEY_ROOM], const char *folder, const struct id *id);

/* fetch_object.c: bring one object.  done(arg, e) once, never from inside. */
struct get_wait {
	struct get_wait *next;
	void (*done)(struct get_wait *w, const struct id *id, const struct err *e);
	bool (*is_wanted)(const struct get_wait *w);
};
void get_object(struct depot *d, const struct id *id, struct get_wait *w);
void gets_free(struct depot *d);

/* push_object.c: take one object, or a text, to places.  `at` are those that
 * have it now. */
struct put_wait {
	struct put_wait *next;
	void (*done)(struct put_wait *w, const struct id *id, uint32_t at, const struct err *e);
};
/* w NULL: written behind, nobody waits.  insists: any place will do when those in
 * `to` cannot take it, and a place that rests is a failure. */
void put_object(struct depot *d, const struct id *id, uint32_t to, bool insists,
		struct put_wait *w);
/* Text under ac/HEX, replacing what is there. */
void put_text(struct depot *d, const struct id *name, struct bytes text, uint32_t to);
void puts_free(struct depot *d);
/* Nobody waits any longer for places that rest. */
void puts_hurry(struct depot *d);

/* depot_fetch.c, depot_push.c, depot_ask.c */
void fetchings_free(struct depot *d);
void pushings_free(struct depot *d);
void askings_free(struct depot *d);
/* Something that was written behind has ended. */
void behind_ended(struct depot *d, const struct err *e);

/* All that a reference needs besides itself, by a text that is in the store: fn
 * for each.  A tree's entries; a thunk's thunks. */
void below_each(struct store *s, const struct ref *r,
		void (*fn)(void *arg, const struct ref *below), void *arg);

#endif
