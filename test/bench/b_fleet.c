/* b_fleet.c - hours that ensembles take by FLEET's flotillas and by other schemes
 *
 *     b_fleet SEED GPUS...     100 networks: a line each of GPUS, then hours by
 *                              FLEET-G, FLEET-L, one GPU each, the same with the
 *                              longest first, all alike at the slowest's pace, and
 *                              the least that any could take; then the share of
 *                              FLEET-G that went into checkpoints
 *     b_fleet small SEED       of 100 ensembles of up to 8, how much longer FLEET-G
 *                              and -L take than the best of all groupings (mean)
 */
#include "../fleet_sim.h"

#include <stdio.h>
#include <stdlib.h>

static void published(uint64_t seed, unsigned gpus)
{
	struct fleet_run g;
	struct fleet_set s;

	fleet_draw(&s, 100, seed);
	g = fleet_g(&s, gpus);
	printf("%u %.3f %.3f %.3f %.3f %.3f %.3f %.4f\n", gpus,
	       g.now_s / 3600, fleet_l(&s, gpus).now_s / 3600,
	       fleet_one_each(&s, gpus).now_s / 3600,
	       fleet_longest_first(&s, gpus).now_s / 3600,
	       fleet_homogeneous(&s, gpus).now_s / 3600, fleet_bound(&s, gpus) / 3600,
	       (double)g.n_restarts * fleet_restart_s / g.now_s);
}

static void small(uint64_t seed)
{
	double sum_g = 0, sum_l = 0, sum_one = 0;

	for (unsigned k = 0; k < 100; k++) {
		unsigned gpus = 4 + k % 5 * 4;
		struct fleet_set s;
		double best;

		fleet_draw(&s, 2 + k % 7, seed + k);
		best = fleet_exhaustive(&s, gpus);
		sum_g += fleet_g(&s, gpus).now_s / best;
		sum_l += fleet_l(&s, gpus).now_s / best;
		sum_one += fleet_one_each(&s, gpus).now_s / best;
	}
	printf("%.3f %.3f %.3f\n", sum_g / 100, sum_l / 100, sum_one / 100);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "small") == 0) {
		small(strtoull(argv[2], NULL, 10));
		return 0;
	}
	for (int i = 2; i < argc; i++)
		published(strtoull(argv[1], NULL, 10), (unsigned)strtoul(argv[i], NULL, 10));
	return argc > 2 ? 0 : 2;
}
