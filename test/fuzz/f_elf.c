/* f_elf.c - any bytes as a program, a script, and the loader's settings */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../src/thunk/closure_private.h"
#include "../../src/thunk/elf_needs.h"
#include "file.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void as_program(const char *path, size_t n)
{
	struct arena a = { 0 };
	struct elf_needs needs = { 0 };
	char line[256];

	if (elf_needs(path, &a, &needs)) {
		if (!needs.dirs)
			abort();
		for (size_t i = 0; i < needs.needed.n; i++)
			if (strlen(needs.needed.v[i]) > n)
				abort();
	}
	strs_release(&needs.needed);
	if (file_shebang(path, line, sizeof line) && strlen(line) >= sizeof line)
		abort();
	arena_release(&a);
}

/* A machine of which there is only /etc/ld.so.conf. */
static void as_settings(struct bytes text)
{
	char root[] = "/tmp/gg-f_elf-XXXXXX";
	struct arena a = { 0 };
	struct walk_state w = { .a = &a };
	struct buf out = { 0 };
	struct err e;
	struct sys m;

	if (!mkdtemp(root) || sys_open(&m, root, &e) < 0 ||
	    dir_make(m.fd, "etc", &e) < 0 ||
	    file_write(m.fd, "etc/ld.so.conf", text, 0644, 0, &e) < 0)
		abort();
	w.m = &m;
	loader_cache(&w, &out);
	if (out.n)
		abort();
	walk_release(&w);
	buf_release(&out);
	arena_release(&a);
	sys_close(&m);
	if (dir_remove(AT_FDCWD, root, &e) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	char path[64];

	if (fd < 0 || file_write_fd(fd, p, n) < 0)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	as_program(path, n);
	close(fd);
	if (n < 512)
		as_settings((struct bytes){ (const char *)p, n });
	return 0;
}
