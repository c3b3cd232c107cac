/* room.c - how much a thunk wants, how much a place has */
#include "room.h"

#include <stdio.h>

/* Sums of fractions are not exact. */
static const double slack = 1e-6;

bool room_fits(const struct room *left, const struct room *needs)
{
	return needs->cpus <= left->cpus + slack && needs->gpus <= left->gpus + slack &&
		needs->mem_bytes <= left->mem_bytes && needs->disk_bytes <= left->disk_bytes;
}

bool room_holds(const struct room *all, const struct room *used, const struct room *needs)
{
	struct room sum = *used;

	room_add(&sum, needs);
	return room_fits(all, &sum);
}

void room_add(struct room *sum, const struct room *more)
{
	sum->cpus += more->cpus;
	sum->gpus += more->gpus;
	sum->mem_bytes += more->mem_bytes;
	sum->disk_bytes += more->disk_bytes;
}

static uint64_t without(uint64_t n, uint64_t less)
{
	return n > less ? n - less : 0;
}

void room_take(struct room *left, const struct room *needs)
{
	left->cpus -= needs->cpus;
	left->gpus -= needs->gpus;
	left->mem_bytes = without(left->mem_bytes, needs->mem_bytes);
	left->disk_bytes = without(left->disk_bytes, needs->disk_bytes);
}

void room_widen(struct room *most, const struct room *needs)
{
	if (needs->cpus > most->cpus)
		most->cpus = needs->cpus;
	if (needs->gpus > most->gpus)
		most->gpus = needs->gpus;
	if (needs->mem_bytes > most->mem_bytes)
		most->mem_bytes = needs->mem_bytes;
	if (needs->disk_bytes > most->disk_bytes)
		most->disk_bytes = needs->disk_bytes;
}

struct room_words room_words(const struct room *r, const struct room *asks)
{
	bool has_disk = asks ? asks->disk_bytes > 0 : r->disk_bytes > 0;
	unsigned long long mem = r->mem_bytes >> 20, disk = r->disk_bytes >> 20;
	struct room_words w;

	if (has_disk)
		snprintf(w.s, sizeof w.s, "%g cpus, %g gpus, %llu MiB and %llu MiB of disk",
			 r->cpus, r->gpus, mem, disk);
	else
		snprintf(w.s, sizeof w.s, "%g cpus, %g gpus and %llu MiB", r->cpus, r->gpus, mem);
	return w;
}
