/* process.c - what the kernel says of a process: the fields of /proc/PID/stat
 *
 * The second field is the name in parentheses, and a name may hold anything,
 * parentheses too: what follows is counted from the last one.
 */
#include "process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "file.h"

bool process_text(pid_t pid, const char *name, char *text, size_t room)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : file_read_fd(fd, text, room - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

bool process_read(pid_t pid, struct process *out)
{
	char text[1024], *name, *end;
	unsigned long long user, system;

	*out = (struct process){ .pid = 0 };
	if (!process_text(pid, "stat", text, sizeof text))
		return false;
	name = strchr(text, '(');
	end = strrchr(text, ')');
	/* The 3rd, 4th, 9th, 14th, 15th and 22nd of the fields. */
	if (!name || !end || end < name ||
	    sscanf(end + 1, " %c %d %*s %*s %*s %*s %u %*s %*s %*s %*s %llu %llu "
			    "%*s %*s %*s %*s %*s %*s %llu", &out->state, &out->parent,
		   &out->flags, &user, &system, &out->started) != 6) {
		*out = (struct process){ .pid = 0 };
		return false;
	}
	snprintf(out->name, sizeof out->name, "%.*s", (int)(end - name - 1), name + 1);
	out->pid = pid;
	out->ticks = user + system;
	return true;
}
