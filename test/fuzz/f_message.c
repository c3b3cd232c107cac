/* f_message.c - any bytes as a message, as base64 and as a registry's challenge:
 * refused, or read and written again to the same */
#include <stdint.h>
#include <stdlib.h>
#include "base64.h"
#include "message.h"
#include "registry.h"
#include "../../src/exec/registry_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void as_base64(struct bytes in)
{
	struct buf out = { 0 }, again = { 0 };

	if (base64_decode(in, &out)) {
		base64_encode(buf_bytes(&out), &again);
		if (!bytes_equal(buf_bytes(&again), in))
			abort();
	}
	buf_release(&out);
	buf_release(&again);
}

static void as_message(struct bytes in, struct arena *a)
{
	struct message_request q, q2;
	struct message_answer m, m2;
	struct buf out = { 0 };
	struct err e;

	if (message_read_request(in, a, &q, &e) == 0) {
		message_put_request(&q, &out);
		if (message_read_request(buf_bytes(&out), a, &q2, &e) < 0 ||
		    !bytes_equal(q.steps[0].thunk, q2.steps[0].thunk) ||
		    q.n_steps != q2.n_steps || q.objects.n != q2.objects.n)
			abort();
		message_objects_release(&q.objects);
		message_objects_release(&q2.objects);
	}
	buf_reset(&out);
	if (message_read_answer(in, a, &m, &e) == 0) {
		message_put_answer(&m, &out);
		if (message_read_answer(buf_bytes(&out), a, &m2, &e) < 0 ||
		    m.reports[0].report.status != m2.reports[0].report.status ||
		    m.n_elsewhere != m2.n_elsewhere)
			abort();
		message_objects_release(&m.objects);
		message_objects_release(&m2.objects);
	}
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = { (const char *)p, n };
	struct arena a = { 0 };
	struct reference r;
	struct err e;
	char *s = arena_strn(&a, in.p, n);

	as_base64(in);
	as_message(in, &a);
	registry_challenge(s, "realm", &a);
	reference_parse(s, &a, &r, &e);
	arena_release(&a);
	return 0;
}
