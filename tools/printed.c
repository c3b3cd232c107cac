/* printed.c - has all that was printed arrived?
 *
 * A write that fails while more is printed drops what it held and leaves only the
 * stream's mark behind: the last flush then has nothing to do and succeeds.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "printed.h"

static bool reader_is_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP));
}

int printed_end(struct err *e)
{
	int why = fflush(stdout) != 0 ? errno : 0;

	if ((!why && !ferror(stdout)) || why == EPIPE || reader_is_gone())
		return 0;
	return err_set(e, ERR_IO, "cannot write all of it to standard output: %s",
		       why ? strerror(why) : "a part was refused; is its disk full?");
}
