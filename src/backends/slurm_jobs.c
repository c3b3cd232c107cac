/* slurm_jobs.c - what squeue prints, and what it means
 *
 * Slurm's own words for states and reasons, each with what people should know.
 */
#include "slurm_jobs.h"

#include <stdlib.h>
#include <string.h>

static const struct slurm_state states[] = {
	{ "PENDING", SLURM_WAITS, 0, NULL },
	{ "REQUEUED", SLURM_WAITS, 0, NULL },
	{ "REQUEUE_FED", SLURM_WAITS, 0, NULL },
	{ "REQUEUE_HOLD", SLURM_WAITS, 0, NULL },
	{ "SPECIAL_EXIT", SLURM_WAITS, 0, NULL },
	{ "CONFIGURING", SLURM_WAITS, 0, NULL },
	{ "RESV_DEL_HOLD", SLURM_WAITS, 0, NULL },
	{ "RUNNING", SLURM_RUNS, 0, NULL },
	{ "SUSPENDED", SLURM_RUNS, 0, NULL },
	{ "STOPPED", SLURM_RUNS, 0, NULL },
	{ "RESIZING", SLURM_RUNS, 0, NULL },
	{ "SIGNALING", SLURM_RUNS, 0, NULL },
	{ "STAGE_OUT", SLURM_RUNS, 0, NULL },
	{ "COMPLETING", SLURM_ENDED, RUN_LOST_WORKER, "its Slurm job is ending" },
	{ "COMPLETED", SLURM_ENDED, RUN_LOST_WORKER, "its Slurm job ended" },
	{ "CANCELLED", SLURM_ENDED, RUN_LOST_WORKER,
	  "its Slurm job was cancelled by somebody" },
	{ "FAILED", SLURM_ENDED, RUN_LOST_WORKER, "its Slurm job failed" },
	{ "TIMEOUT", SLURM_ENDED, RUN_LOST_WORKER,
	  "its Slurm job reached its time limit; say time= to have longer ones" },
	{ "DEADLINE", SLURM_ENDED, RUN_LOST_WORKER, "its Slurm job reached its deadline" },
	{ "OUT_OF_MEMORY", SLURM_ENDED, RUN_OUT_OF_MEMORY,
	  "its Slurm job used more memory than it may; say mem= to have more" },
	{ "NODE_FAIL", SLURM_ENDED, RUN_LOST_WORKER, "its node failed, says Slurm" },
	{ "BOOT_FAIL", SLURM_ENDED, RUN_LOST_WORKER, "its node did not start, says Slurm" },
	{ "LAUNCH_FAILED", SLURM_ENDED, RUN_LOST_WORKER,
	  "its node could not start it, says Slurm" },
	{ "PREEMPTED", SLURM_ENDED, RUN_LOST_WORKER,
	  "a job of higher priority took its place" },
	{ "REVOKED", SLURM_ENDED, RUN_LOST_WORKER, "its Slurm job went to another cluster" },
};

/* squeue's REASON; those that start with a limit's owner (QOS, Assoc...) are
 * matched by their end. */
static const struct {
	const char *reason, *text;
} reasons[] = {
	{ "None", "Slurm has not looked at it yet" },
	{ "Resources", "its nodes are busy with other jobs" },
	{ "Priority", "jobs of higher priority wait before it" },
	{ "Dependency", "it depends on another job" },
	{ "BeginTime", "it was put back and may start again a little later" },
	{ "Licenses", "a licence that it asks for is taken" },
	{ "JobHeldUser", "it is held: scontrol release lets it go" },
	{ "JobHeldAdmin", "an administrator holds it" },
	{ "PartitionTimeLimit", "its time= is more than the partition allows" },
	{ "PartitionNodeLimit", "it asks for more nodes than the partition allows" },
	{ "PartitionDown", "the partition is down" },
	{ "PartitionInactive", "the partition is not active" },
	{ "PartitionConfig", "the partition does not allow what it asks for" },
	{ "AccountNotAllowed", "its account= may not use the partition" },
	{ "QOSNotAllowed", "its qos= may not be used here" },
	{ "InvalidAccount", "its account= does not exist" },
	{ "InvalidQOS", "its qos= does not exist" },
	{ "BadConstraints", "no node has all that it asks for" },
	{ "ReqNodeNotAvail", "a node that it needs is not available" },
	{ "NodeDown", "a node that it needs is down" },
	{ "Reservation", "it waits for its reservation" },
	{ "ReservationDeleted", "its reservation is gone" },
	{ "JobArrayTaskLimit", "as many tasks of its array run as may run at once" },
	{ "AssociationJobLimit", "your account has as many jobs as it may have" },
	{ "NonZeroExitCode", "it failed before: see its log" },
	{ "launch failed requeued held", "its node could not start it, and it is held" },
	{ "JobHoldMaxRequeue", "it was put back too often, and is held" },
	{ "FrontEndDown", "the front end is down" },
	{ "Cleaning", "it is being cleaned up after" },
	{ "DownNodes", "nodes that it needs are down" },
};

static const struct {
	const char *end, *text;
} limits[] = {
	{ "MaxJobsPerUserLimit", "you have as many jobs running as the limits allow" },
	{ "MaxJobsLimit", "as many jobs run as the limits allow" },
	{ "MaxSubmitJobPerUserLimit", "you have as many jobs queued as the limits allow" },
	{ "JobLimit", "as many jobs run as the limits allow" },
	{ "CpuLimit", "as many cpus are in use as the limits allow" },
	{ "CpuPerUserLimit", "you use as many cpus as the limits allow" },
	{ "CpuPerJobLimit", "cpus= is more than the limits allow" },
	{ "MemLimit", "as much memory is in use as the limits allow" },
	{ "MemoryPerUser", "you use as much memory as the limits allow" },
	{ "MemoryPerJob", "mem= is more than the limits allow" },
	{ "MemPerJob", "mem= is more than the limits allow" },
	{ "NodeLimit", "as many nodes are in use as the limits allow" },
	{ "WallDurationPerJobLimit", "time= is more than the limits allow" },
	{ "WallLimit", "as much time is in use as the limits allow" },
	{ "GRES", "as many gpus are in use as the limits allow" },
	{ "GRESPerUser", "you use as many gpus as the limits allow" },
	{ "GRESPerJob", "gpus= is more than the limits allow" },
	{ "Limit", "a limit of your account is reached" },
	{ "Unknown", "Slurm does not say which limit is reached" },
};

static const char *const passing[] = {
	"Unable to contact slurm controller", "Connection refused", "Connection timed out",
	"Socket timed out", "connect failure", "temporarily", "try again", "Resource temporarily",
	"Zero Bytes were transmitted", "Communication connection failure",
	"Unexpected message received", "Protocol authentication error",
	"slurmctld is in standby", "in the process of", "Transport endpoint", "Broken pipe",
	"submit limit", "Limit)", "MaxJobCount", "queue is full", "system limit",
};

static const struct slurm_state *state_find(const char *name)
{
	static const struct slurm_state other = { "?", SLURM_RUNS, 0, NULL };

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(states[i].name, name) == 0)
			return &states[i];
	/* A state of a later Slurm: the lease tells whether it is alive. */
	return &other;
}

static bool number(const char *s, uint64_t most, uint64_t *out)
{
	char *end;

	if (*s < '0' || *s > '9' || strlen(s) > 18)
		return false;
	*out = strtoull(s, &end, 10);
	return !*end && *out <= most;
}

/* Cut line at its first bars; the last field may hold more of them. */
static bool cut(char *line, char **field, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		field[i] = line;
		line = strchr(line, '|');
		if (i + 1 == n)
			return true;
		if (!line)
			return false;
		*line++ = 0;
	}
	return false;
}

static bool read_line(char *line, struct slurm_line *out)
{
	char *field[6];
	uint64_t task;

	if (!cut(line, field, 6) || !number(field[0], UINT64_MAX, &out->job))
		return false;
	/* A job that is no array has N/A. */
	if (!number(field[1], UINT32_MAX, &task))
		task = 0;
	out->task = (uint32_t)task;
	out->state = state_find(field[2]);
	out->reason = field[3];
	out->node = field[4];
	out->name = field[5];
	return true;
}

static bool next_line(struct bytes *text, struct bytes *line)
{
	const char *end;

	if (!text->n)
		return false;
	end = memchr(text->p, '\n', text->n);
	*line = (struct bytes){ text->p, end ? (size_t)(end - text->p) : text->n };
	text->n -= line->n + (end != NULL);
	text->p += line->n + (end != NULL);
	return true;
}

int slurm_line_next(struct bytes *text, struct arena *a, struct slurm_line *out)
{
	struct bytes line;

	while (next_line(text, &line))
		if (!memchr(line.p, 0, line.n) && read_line(arena_strn(a, line.p, line.n), out))
			return 1;
	return 0;
}

/* "1234" or "1234;cluster", perhaps after warnings. */
bool slurm_job_read(struct bytes text, uint64_t *out)
{
	struct bytes line;
	bool is_known = false;

	while (next_line(&text, &line)) {
		char s[24];
		size_t n = 0;

		while (n < line.n && n < sizeof s - 1 && line.p[n] != ';')
			n++;
		memcpy(s, line.p, n);
		s[n] = 0;
		is_known |= number(s, UINT64_MAX, out);
	}
	return is_known;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

bool slurm_is_held(const char *reason)
{
	return strstr(reason, "launch failed requeued held") ||
		strstr(reason, "JobHoldMaxRequeue");
}

const char *slurm_reason(const char *reason)
{
	size_t n = strcspn(reason, ",:");

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strlen(reasons[i].reason) == n && strncmp(reasons[i].reason, reason, n) == 0)
			return reasons[i].text;
	if (*reason == '(')
		for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
			if (strncmp(reasons[i].reason, reason + 1,
				    strlen(reasons[i].reason)) == 0)
				return reasons[i].text;
	if (strncmp(reason, "QOS", 3) != 0 && strncmp(reason, "Assoc", 5) != 0)
		return reason;
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		if (ends_with(reason, limits[i].end))
			return limits[i].text;
	return reason;
}

bool slurm_is_passing(struct bytes said)
{
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (memmem(said.p, said.n, passing[i], strlen(passing[i])))
			return true;
	return false;
}

/* One line of text for people, of 300 bytes at most. */
static const char *plain(struct bytes b, struct arena *a)
{
	char *text = arena_strn(a, b.p, b.n < 300 ? b.n : 300);

	for (size_t i = 0; i < b.n && i < 300; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			text[i] = '?';
	return text;
}

const char *slurm_last_line(struct bytes said, struct arena *a)
{
	struct bytes line, last = { "", 0 };

	while (next_line(&said, &line))
		if (line.n)
			last = line;
	return plain(last, a);
}

static void skip_past(struct bytes *line, const char *mark)
{
	const char *at = memmem(line->p, line->n, mark, strlen(mark));

	if (at) {
		at += strlen(mark);
		*line = (struct bytes){ at, line->n - (size_t)(at - line->p) };
	}
}

/* The first line often says what is wrong, the last only that something is. */
const char *slurm_said(struct bytes said, struct arena *a)
{
	struct buf all = { 0 };
	struct bytes line;
	const char *text;

	while (next_line(&said, &line) && all.n < 300) {
		skip_past(&line, "error: ");
		skip_past(&line, "fatal: ");
		if (!line.n)
			continue;
		if (all.n)
			buf_str(&all, "; ");
		buf_add(&all, line.p, line.n);
	}
	text = plain(buf_bytes(&all), a);
	buf_release(&all);
	return text;
}
