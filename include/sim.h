/* sim.h - the clock of the simulated engine; src/backends/sim.c */
#ifndef GG_SIM_H
#define GG_SIM_H

#include "backend.h"

/* What has happened since sim_open, in seconds of its own clock. */
struct sim_told {
	double now_s;                   /* when the last run ended */
	double busy_s;                  /* of all workers, transfers included */
	size_t n_ended, n_cold;
	double in_bytes, out_bytes;
};
void sim_tell(const struct backend *b, struct sim_told *out);

#endif
