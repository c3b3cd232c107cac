/* remains.h - what a power cut has left of something that gg wrote
 *
 * Private to src/thunk; remains.c.
 */
#ifndef GG_REMAINS_H
#define GG_REMAINS_H

#include "place.h"

/* Has what stands at path not been touched since this machine was started, and
 * does each file of it hold nothing but what value holds (NULL: nothing at all),
 * and zeros, or bear the very time of what gg put there (NULL: is not known)? */
bool is_remains(struct store *s, int root, const char *path, const struct ref *value,
		const struct stamp *put);

/* Is what stands at path all that a power cut left of what gg put there?  When
 * it wrote that the record may still have been the one before, r. */
bool is_left_by_cut(struct store *s, int root, const char *path,
		    const struct ref_record *r);

/* Has a file of gg's (r), of this stamp and not touched since, lost its bytes? */
bool has_lost_bytes(struct store *s, int root, const char *path,
		    const struct ref_record *r, const struct stamp *stamp);

#endif
