/* output.c - files that people name with -o */
#include <stdio.h>
#include <string.h>
#include "file.h"
#include "gg.h"

int output_write(const char *file, struct bytes b, struct err *e)
{
	if (strcmp(file, "-") != 0)
		return file_put(file, b, 0, e);
	fwrite(b.p, 1, b.n, stdout);
	return 0;
}
