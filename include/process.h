/* process.h - what the kernel says of a process; src/process.c */
#ifndef GG_PROCESS_H
#define GG_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct process {
	pid_t pid, parent;
	char state;                     /* as ps prints it; 'D': waits for a disk */
	char name[64];
	unsigned long long ticks;       /* of processor time, its own */
	/* In ticks since boot: tells it from a later one of the same number. */
	unsigned long long started;
	unsigned flags;                 /* PF_... of the kernel */
};

enum { PROCESS_EXITING = 4 };           /* of flags */

/* false, and *out is zeroed, if there is none of that number. */
bool process_read(pid_t pid, struct process *out);

/* The text of /proc/PID/NAME, up to room - 1 bytes of it, ended with NUL; false,
 * and it is empty, if it cannot be read.  NAME may have folders, "fdinfo/3". */
bool process_text(pid_t pid, const char *name, char *text, size_t room);

#endif
