/* process.h - what the kernel says of a process; src/process.c */
#ifndef GG_PROCESS_H
#define GG_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct process {
	pid_t pid, parent;
	char state;                     /* as ps prints it; 'D': waits for a disk */
	char name[64];
	unsigned long long ticks;       /* of processor time, its own */
	/* In ticks since boot: tells it from a later one of the same number. */
	unsigned long long started;
};

/* false, and *out is zeroed, if there is none of that number. */
bool process_read(pid_t pid, struct process *out);

#endif
