/* elf_needs.c - the shared libraries that a program names
 *
 * Enough of ELF to follow a program to its libraries: the program headers
 * lead to the interpreter and to the dynamic section, whose entries are
 * offsets into its string table.  Every offset is checked against the file.
 */
#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "elf_needs.h"
#include "file.h"

struct image {
	const char *p;
	size_t n;
	const Elf64_Phdr *headers;
	size_t n_headers;
};

/* n bytes at offset, or NULL if the file does not hold them. */
static const void *at(const struct image *m, uint64_t offset, uint64_t n)
{
	return offset <= m->n && n <= m->n - offset ? m->p + offset : NULL;
}

/* Headers are copied: an odd file may have them at an odd place. */
static bool read_headers(struct image *m, struct arena *a)
{
	const Elf64_Ehdr *raw = at(m, 0, sizeof *raw);
	const void *headers;
	Elf64_Ehdr h;
	int order = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
	size_t n_bytes;
	void *copy;

	if (!raw)
		return false;
	memcpy(&h, raw, sizeof h);
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != order ||
	    h.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	n_bytes = h.e_phnum * sizeof(Elf64_Phdr);
	headers = at(m, h.e_phoff, n_bytes);
	if (!headers)
		return false;
	copy = arena_alloc(a, n_bytes + 1);
	memcpy(copy, headers, n_bytes);
	m->headers = copy;
	m->n_headers = h.e_phnum;
	return true;
}

/* A string of the file that ends before its segment does, or NULL. */
static const char *text_at(const struct image *m, uint64_t offset, struct arena *a)
{
	const char *s = at(m, offset, 1);
	const char *end = s ? memchr(s, 0, m->n - offset) : NULL;

	return end ? arena_strn(a, s, (size_t)(end - s)) : NULL;
}

static bool address_to_offset(const struct image *m, uint64_t address,
			      uint64_t *offset)
{
	for (size_t i = 0; i < m->n_headers; i++) {
		const Elf64_Phdr *h = &m->headers[i];

		if (h->p_type == PT_LOAD && address >= h->p_vaddr &&
		    address - h->p_vaddr < h->p_filesz) {
			*offset = h->p_offset + (address - h->p_vaddr);
			return true;
		}
	}
	return false;
}

static const char *put_origin(const char *dirs, const char *path, struct arena *a)
{
	size_t n = (size_t)(path_base(path) - path);
	struct buf b = { 0 };
	const char *s;

	buf_str(&b, "");
	while (*dirs) {
		size_t skip = strncmp(dirs, "$ORIGIN", 7) == 0     ? 7
			      : strncmp(dirs, "${ORIGIN}", 9) == 0 ? 9
								   : 0;

		if (skip)
			buf_add(&b, path, n);
		else
			buf_char(&b, *dirs);
		dirs += skip ? skip : 1;
	}
	s = arena_strn(a, b.p, b.n);
	buf_release(&b);
	return s;
}

static void read_dynamic(const struct image *m, const Elf64_Phdr *h,
			 const char *path, struct arena *a, struct elf_needs *out)
{
	const char *raw = at(m, h->p_offset, h->p_filesz);
	size_t n = raw ? h->p_filesz / sizeof(Elf64_Dyn) : 0;
	uint64_t table = 0, offset;
	Elf64_Dyn d;

	for (size_t i = 0; i < n; i++) {
		memcpy(&d, raw + i * sizeof d, sizeof d);
		if (d.d_tag == DT_STRTAB)
			table = d.d_un.d_ptr;
	}
	if (!address_to_offset(m, table, &offset))
		return;
	for (size_t i = 0; i < n; i++) {
		const char *s;

		memcpy(&d, raw + i * sizeof d, sizeof d);
		if (d.d_tag == DT_NULL)
			return;
		if (d.d_tag != DT_NEEDED && d.d_tag != DT_RUNPATH && d.d_tag != DT_RPATH)
			continue;
		if (d.d_un.d_val > m->n || !(s = text_at(m, offset + d.d_un.d_val, a)))
			continue;
		if (d.d_tag == DT_NEEDED)
			strs_add(&out->needed, s);
		else
			out->dirs = put_origin(s, path, a);
	}
}

bool elf_needs(const char *path, struct arena *a, struct elf_needs *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct image m = { 0 };
	struct stat st;
	void *p = MAP_FAILED;
	bool is_elf;

	*out = (struct elf_needs){ .dirs = "" };
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return false;
	m.p = p;
	m.n = (size_t)st.st_size;
	is_elf = read_headers(&m, a);
	for (size_t i = 0; is_elf && i < m.n_headers; i++) {
		const Elf64_Phdr *h = &m.headers[i];
		const char *s;

		if (h->p_type == PT_INTERP && (s = text_at(&m, h->p_offset, a)))
			strs_add(&out->needed, s);
		if (h->p_type == PT_DYNAMIC)
			read_dynamic(&m, h, path, a, out);
	}
	munmap(p, m.n);
	return is_elf;
}
