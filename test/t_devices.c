/* t_devices.c - each step gets GPUs of its own */
#include "devices.h"
#include "test.h"

static struct arena a;

static const char *take(struct devices *d, double gpus, struct devices_held *h)
{
	devices_take(d, gpus, h);
	return devices_list(d, h, &a);
}

static void whole(void)
{
	struct devices *d = devices_new(4, NULL);
	struct devices_held one, two, rest, none = { 0 };

	CHECK_STR(take(d, 1, &one), "0");
	CHECK_STR(take(d, 2, &two), "1,2");
	CHECK_STR(take(d, 1, &rest), "3");
	devices_give(d, &one);
	CHECK_STR(take(d, 1, &one), "0");
	devices_give(d, &two);
	devices_give(d, &two);
	CHECK_STR(take(d, 1.5, &two), "1,2");
	CHECK_STR(devices_list(d, &none, &a), "");
	devices_free(d);
}

static void parts(void)
{
	struct devices *d = devices_new(2, NULL);
	struct devices_held h[5];

	CHECK_STR(take(d, 0.5, &h[0]), "0");
	CHECK_STR(take(d, 0.25, &h[1]), "0");
	CHECK_STR(take(d, 0.5, &h[2]), "1");
	CHECK_STR(take(d, 0.5, &h[3]), "1");
	CHECK_STR(take(d, 0.25, &h[4]), "0");
	devices_give(d, &h[2]);
	devices_give(d, &h[3]);
	CHECK_STR(take(d, 1, &h[2]), "1");
	devices_free(d);
}

static void named(void)
{
	struct devices *d = devices_new(2, "5,GPU-8f1,7");
	struct devices_held h;

	CHECK_STR(take(d, 2, &h), "5,GPU-8f1");
	devices_free(d);
	CHECK(devices_count("5,GPU-8f1,7") == 3 && devices_count("") == 0);
	d = devices_new(2, "3");
	CHECK_STR(take(d, 2, &h), "3,1");
	devices_free(d);
	/* More than there are: all there are. */
	d = devices_new(1, NULL);
	CHECK_STR(take(d, 3, &h), "0");
	devices_free(d);
	d = devices_new(0, NULL);
	CHECK_STR(take(d, 1, &h), "");
	devices_free(d);
}

static const struct test tests[] = {
	{ "whole ones belong to one step at a time", whole },
	{ "fractions share one while it lasts", parts },
	{ "they are called as CUDA_VISIBLE_DEVICES calls them", named },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&a);
	return rc;
}
