/* f_squeue.c - what squeue and sbatch print, whatever it is */
#include "../../src/backends/slurm_jobs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	const struct bytes all = { (const char *)p, n };
	struct bytes left = all;
	struct arena a = { 0 };
	struct slurm_line l;
	uint64_t job;

	while (slurm_line_next(&left, &a, &l))
		if (!l.state || !l.name || !slurm_reason(l.reason))
			abort();
	if (left.n)
		abort();
	slurm_job_read(all, &job);
	slurm_is_passing(all);
	if (strlen(slurm_last_line(all, &a)) > 300 || strlen(slurm_said(all, &a)) > 300)
		abort();
	arena_release(&a);
	return 0;
}
