/* s3_moved.c - the bucket is elsewhere: in another region, at another address
 *
 * AWS names the region, whose address follows from it; others name the address.
 * Either is from a server that is trusted with the objects anyway, and TLS, where
 * there is any, is kept.
 */
#include <string.h>
#include "s3.h"

/* By a's headers or by its body, in work; NULL: a says nothing of it. */
static const char *region_in(const struct http_answer *a, struct arena *work)
{
	const char *region = http_header(a, "x-amz-bucket-region");

	if (!region)
		region = s3_xml_text(a->body, "Region", work);
	if (!region || !*region || strlen(region) > 64 ||
	    strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(region))
		return NULL;
	return region;
}

static const char *address_in(const struct http_answer *a, struct arena *work)
{
	const char *location = http_header(a, "Location");

	return location ? location : s3_xml_text(a->body, "Endpoint", work);
}

static bool follow_region(struct remote *r, const char *region)
{
	struct s3_address address;
	struct err e;

	region = arena_str(&r->arena, region);
	if (s3_address_of(&r->place, region, &r->arena, &address, &e) < 0)
		return false;
	r->address = address;
	r->sign.region = region;
	r->sign.day[0] = 0;             /* its key is of the old region */
	return true;
}

static bool follow_address(struct remote *r, const char *location, struct s3_address *to)
{
	struct s3_address address;

	if (!s3_address_moved(&r->address, r->place.bucket, location, &r->arena, &address))
		return false;
	*to = address;
	return true;
}

bool s3_follow(struct s3_request *q, const struct http_answer *a)
{
	struct remote *r = q->r;
	struct arena work = { 0 };
	const char *region = region_in(a, &work), *location = address_in(a, &work);
	bool has_moved = false;

	if (!q->mended_region) {
		if (region)
			has_moved = follow_region(r, region);
		/* An endpoint that was named stays where it is in every region. */
		if (location && (!region || r->place.endpoint))
			has_moved |= follow_address(r, location, &r->address);
	}
	q->mended_region = true;
	arena_release(&work);
	return has_moved;
}

bool s3_step_aside(struct s3_request *q, const struct http_answer *a)
{
	struct remote *r = q->r;
	struct arena work = { 0 };
	const char *location = address_in(a, &work);

	if (!q->mended_region && location)
		q->is_aside = follow_address(r, location, &r->aside);
	q->mended_region = true;
	arena_release(&work);
	return q->is_aside;
}

const char *s3_whereabouts(const struct http_answer *a, struct arena *work)
{
	const char *region = region_in(a, work), *location = address_in(a, work);
	size_t n = location ? strcspn(location, "?#") : 0;

	if (!region && (!n || n > 300 || !aws_is_plain(location)))
		return "";
	if (region)
		return arena_printf(work, "; the server says region=%s", region);
	return arena_printf(work, "; the server says it is at %.*s", (int)n, location);
}
