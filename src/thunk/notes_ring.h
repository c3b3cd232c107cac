/* notes_ring.h - what the library in a traced program and gg share
 *
 * One memory file, mapped by gg and by every program that has the library.
 * Programs write notes, gg takes them; both count bytes, which never go back,
 * and a place is its count modulo the size.  A note is a head, a process and
 * a path, a multiple of 8 bytes in all and never over the end of the ring:
 *
 *	head:8  process:4  path and NUL
 *
 *	place / 8:32 | size / 8:12 | kind:3 | is done:1 | errno:16
 *
 * A head of zero has not been written yet.  It is written before the call,
 * and again after it with the outcome; gg, which zeroes what it has taken,
 * may have been there in between.  The place in the head keeps the second
 * from hitting a later note.
 *
 * Whatever runs under gg can write here, so gg believes nothing.
 */
#ifndef GG_NOTES_RING_H
#define GG_NOTES_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Names that the programs' loader and the library open, and gg answers. */
#define NOTES_PRELOAD "/etc/ld.so.preload"
#define NOTES_LIBRARY "/.gg/notes.so"
#define NOTES_RING "/.gg/notes"
/* As PLACEHOLDER_NAME of thunk.h, behind a slash. */
#define NOTES_PLACEHOLDER "/.gg-placeholder"

enum {
	NOTES_RING_BYTES = 4 << 20,
	NOTES_MOST_PENDING = NOTES_RING_BYTES / 2, /* then calls stop again */
	NOTES_MAX_PATH = 4096,
	NOTES_REALPATH_ROOM = 1023,
};

enum note_kind { NOTE_FILL = 1, NOTE_LOOK, NOTE_READ };

struct notes_ring {
	uint64_t gate;          /* where a call that passes is made */
	_Atomic uint64_t is_off;
	char root[NOTES_MAX_PATH];      /* of the project; empty: too long */
	_Alignas(64) _Atomic uint64_t used;
	_Alignas(64) _Atomic uint64_t taken;
	_Alignas(4096) char bytes[NOTES_RING_BYTES];
};

struct note {
	_Atomic uint64_t head;
	int32_t pid;
	char path[];
};

static inline bool notes_begins(const char *s, const char *with)
{
	while (*with)
		if (*s++ != *with++)
			return false;
	return true;
}

/* Do the system's packages own what is at path? */
static inline bool notes_is_system(const char *path)
{
	return notes_begins(path, "/usr/") || notes_begins(path, "/lib/") ||
	       notes_begins(path, "/lib64/") || notes_begins(path, "/bin/") ||
	       notes_begins(path, "/sbin/") || notes_begins(path, "/opt/");
}

static inline uint64_t note_head(uint64_t place, uint64_t size, enum note_kind k)
{
	return (uint64_t)(uint32_t)(place / 8) << 32 | size / 8 << 20 |
	       (uint64_t)k << 17;
}

static inline uint64_t note_done(uint64_t head, int error)
{
	return head | 1 << 16 | (uint16_t)error;
}

#endif
