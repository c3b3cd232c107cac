/* f_container.c - what a container engine answers, out of any bytes: the first
 * says which answer it is */
#include <stdlib.h>
#include <string.h>
#include "../../src/backends/container_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void each(void *arg, const char *id, const char *owner, bool is_up)
{
	(void)is_up;
	*(size_t *)arg += strlen(id) + strlen(owner);
}

/* It becomes a file's name. */
static void made(void *arg, const char *tag)
{
	*(size_t *)arg += strlen(tag);
	if (!*tag || strpbrk(tag, "/.%"))
		abort();
}

static void read_one(unsigned which, struct bytes b, struct arena *a)
{
	struct container_picture picture;
	const char *id;
	size_t sum = 0;
	struct err e;
	bool flag;
	int code;

	switch (1 + which % 8) {
	case 1:
		/* It becomes part of a path. */
		if (container_read_id(b, a, &id, &e) == 0 && (!*id || strpbrk(id, "/?%# ")))
			abort();
		break;
	case 2:
		if (container_read_image(b, a, &picture, &e) == 0 && !*picture.id)
			abort();
		break;
	case 3:
		container_read_state(b, &flag, &e);
		break;
	case 4:
		container_read_list(b, each, &sum, &e);
		break;
	case 5:
		container_read_progress(b, &e);
		break;
	case 6:
		container_libpod.read_wait(b, &code, &e);
		container_docker.read_wait(b, &code, &e);
		break;
	case 7:
		container_refusal("it", 500, b, &e);
		for (const char *s = e.text; *s; s++)
			if ((unsigned char)*s < ' ')
				abort();
		break;
	case 8:
		container_read_made(b, made, &sum, &e);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = { 0 };

	if (n)
		read_one(p[0], (struct bytes){ (const char *)p + 1, n - 1 }, &a);
	arena_release(&a);
	return 0;
}
