/* f_ticket.c - any bytes as a ticket: refused, or written again to the same */
#include <stdint.h>
#include <stdlib.h>
#include "ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = { (const char *)p, n };
	struct buf out = { 0 };
	struct ticket t;
	struct err e;

	if (ticket_read(in, &t, &e) == 0) {
		ticket_write(&t, &out);
		if (!bytes_equal(buf_bytes(&out), in))
			abort();
	}
	buf_release(&out);
	return 0;
}
