/* elf_needs.h - the shared libraries that a program names; elf_needs.c */
#ifndef GG_ELF_NEEDS_H
#define GG_ELF_NEEDS_H

#include "base.h"

/* What an ELF file (64 bits, this machine's byte order) says it needs, as it
 * says it; dirs is its RUNPATH or RPATH with $ORIGIN put in, "" if none.  An
 * interpreter comes first among needed.  false: it is no such file. */
struct elf_needs {
	struct strs needed;     /* the caller releases it */
	const char *dirs;
};
bool elf_needs(const char *path, struct arena *a, struct elf_needs *out);

#endif
