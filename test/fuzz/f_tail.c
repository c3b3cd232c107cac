/* f_tail.c - any bytes as a tail text: refused with a line, or kept exactly */
#include "../recode.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	return recode_fuzz("tail", p, n);
}
