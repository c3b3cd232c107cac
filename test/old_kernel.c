/* old_kernel.c - old_kernel CALL[,CALL...] COMMAND...: run it where the kernel
 * does not know these system calls
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	char *rest;

	if (argc < 3 || !f)
		return 2;
	for (char *name = strtok_r(argv[1], ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		int call = seccomp_syscall_resolve_name(name);

		if (call == __NR_SCMP_ERROR ||
		    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), call, 0) < 0) {
			fprintf(stderr, "old_kernel: %s is no system call\n", name);
			return 2;
		}
	}
	if (seccomp_load(f) < 0)
		return 2;
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
