/* test.h - one test program: TAP on standard output
 *
 * A test is a function in a const table; its name is the promise it checks.
 *
 *	static const struct test tests[] = {
 *		{ "a thunk read back is the thunk written", round_trip },
 *		{ 0 }
 *	};
 *	int main(void) { return test_main(tests); }
 */
#ifndef GG_TEST_H
#define GG_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *promise;
	void (*fn)(void);
};

static int test_failures;

/* Note a failure with its place and go on. */
#define CHECK(cond) \
	((cond) ? (void)0 \
		: (void)(test_failures++, \
			 printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #cond)))
#define CHECK_STR(a, b) \
	do { \
		const char *a_ = (a), *b_ = (b); \
		if (!a_ || !b_ || strcmp(a_, b_) != 0) { \
			test_failures++; \
			printf("# %s:%d: \"%s\" is not \"%s\"\n", __FILE__, __LINE__, \
			       a_ ? a_ : "(null)", b_ ? b_ : "(null)"); \
		} \
	} while (0)
/* The call gives 0, or its error is shown and the program ends. */
#define MUST(call, e) \
	do { \
		if ((call) < 0) { \
			printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, #call, (e).text); \
			printf("Bail out!\n"); \
			exit(1); \
		} \
	} while (0)

static inline int test_main(const struct test *tests)
{
	int bad = 0, n = 0;

	for (const struct test *t = tests; t->promise; t++) {
		int before = test_failures;

		t->fn();
		bad += test_failures != before;
		printf("%s %d - %s\n", test_failures == before ? "ok" : "not ok", ++n,
		       t->promise);
		fflush(stdout);
	}
	printf("1..%d\n", n);
	return bad != 0;
}

#endif
