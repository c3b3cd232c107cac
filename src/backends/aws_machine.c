/* aws_machine.c - what a machine of EC2 is told of itself (IMDSv2), its keys among it
 *
 * Three requests: for a token, for the name of the role, for the role's keys.  Only a
 * machine that is one of EC2's is asked at all: elsewhere nobody is there, which
 * would take time to find out.
 */
#include <fcntl.h>
#include <string.h>
#include "aws.h"
#include "file.h"

#define ADDRESS "http://169.254.169.254"
#define ROLES "/latest/meta-data/iam/security-credentials/"

enum { WORD_MAX = 512, TEXT_MAX = 4096 };

static bool file_begins(const char *path, const char *with)
{
	struct arena a = { 0 };
	struct bytes b;
	struct err ignored;
	bool does = file_read(AT_FDCWD, path, TEXT_MAX, &a, &b, &ignored) == 0 &&
		    bytes_start(b, with);

	arena_release(&a);
	return does;
}

static bool is_of_ec2(void)
{
	return file_begins("/sys/devices/virtual/dmi/id/sys_vendor", "Amazon EC2") ||
	       file_begins("/sys/hypervisor/uuid", "ec2");
}

static bool is_near(const char *url)
{
	const char *host = url + strlen("http://");

	return strncmp(url, "http://", 7) == 0 &&
		(http_host_is_local((struct bytes){ host, strcspn(host, ":/") }) ||
		 strncmp(url, ADDRESS, strlen(ADDRESS)) == 0 ||
		 strncmp(host, "[fd00:ec2::254]", 15) == 0);
}

int aws_machine_url(setting_fn *setting, void *arg, struct arena *a, const char **out,
		    struct err *e)
{
	const char *off = setting(arg, "AWS_EC2_METADATA_DISABLED");
	const char *given = setting(arg, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	size_t n;

	*out = NULL;
	if (off && strcmp(off, "true") == 0)
		return 0;
	if (!given || !*given) {
		*out = is_of_ec2() ? ADDRESS : NULL;
		return 0;
	}
	if (!is_near(given) || !aws_is_plain(given))
		return err_set(e, ERR_REFUSED, "AWS_EC2_METADATA_SERVICE_ENDPOINT is no address of "
			       "this machine: keys would cross the network in the clear");
	n = strlen(given);
	*out = arena_strn(a, given, given[n - 1] == '/' ? n - 1 : n);
	return 0;
}

void aws_machine_ask(const struct aws_machine *m, const char *base, struct arena *a,
		     const char *headers[2], struct http_request *r)
{
	headers[0] = m->token ? arena_printf(a, "X-aws-ec2-metadata-token: %s", m->token) :
			       "X-aws-ec2-metadata-token-ttl-seconds: 21600";
	headers[1] = NULL;
	r->headers = headers;
	r->method = m->token ? "GET" : "PUT";
	r->url = !m->token ? arena_printf(a, "%s/latest/api/token", base) :
		 arena_printf(a, "%s" ROLES "%s", base, m->role ? m->role : "");
}

int aws_machine_heard(struct aws_machine *m, struct bytes said, struct arena *a, struct err *e)
{
	const char *end = memchr(said.p, '\n', said.n);
	const char *word = arena_strn(a, said.p, end ? (size_t)(end - said.p) : said.n);

	if (!*word || strlen(word) > WORD_MAX || !aws_is_plain(word) ||
	    (m->token && strpbrk(word, "/?#% ")))
		return err_set(e, ERR_BAD, "this machine's metadata service gives no %s",
			       m->token ? "name of a role" : "token");
	*(m->token ? &m->role : &m->token) = word;
	return 0;
}
