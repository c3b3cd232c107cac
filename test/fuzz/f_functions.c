/* f_functions.c - any bytes as what functions answer, as their log, and as a table
 * of prices */
#include <stdint.h>
#include <stdlib.h>
#include "base64.h"
#include "../../src/backends/lambda_answer.h"
#include "../../src/backends/openwhisk_answer.h"
#include "prices.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void as_answers(struct bytes in, int status, struct arena *a)
{
	struct http_answer h = { .status = status, .body = in };
	struct whisk_said w;
	struct lambda_said s;
	struct buf log = { 0 };

	buf_str(&log, "X-Amz-Log-Result: ");
	base64_encode(in, &log);
	strs_add(&h.headers, "X-Amz-Function-Error: Unhandled");
	strs_add(&h.headers, log.p);
	lambda_answer_read(&h, NULL, a, &s);
	if (s.end >= LAMBDA_END_COUNT || s.billed_s < 0 || s.mem_mb < 0)
		abort();
	whisk_answer_read(&h, NULL, status == 404, a, &w);
	if (w.end >= WHISK_END_COUNT || (w.end == WHISK_PENDING && status == 202 && !w.activation))
		abort();
	strs_release(&h.headers);
	buf_release(&log);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const int statuses[] = { 200, 202, 400, 403, 404, 429, 502 };
	const struct bytes in = { (const char *)p, n };
	struct arena a = { 0 };
	struct prices prices;
	struct err e;

	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		as_answers(in, statuses[i], &a);
	if (prices_read(in, &a, &prices, &e) == 0)
		for (size_t i = 0; i < prices.n; i++)
			if (price_of(&prices, prices.v[i].place, prices.v[i].region,
				     prices.v[i].unit) < 0)
				abort();
	arena_release(&a);
	return 0;
}
