/* cmd_lambda.c - gg lambda: functions of AWS Lambda, made, listed and removed */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "file.h"
#include "gg.h"
#include "http.h"
#include "lambda.h"
#include "shown.h"

enum { WORKER_MAX = 512 << 20, MEM_MIN = 128, MEM_MAX = 10240, TIMEOUT_MAX = 900,
	DISK_MIN = 512, DISK_MAX = 10240 };

static void on_progress(void *arg, const char *text)
{
	const struct ctx *c = arg;

	if (!c->o.quiet)
		note("%s", text);
}

static int open_api(struct ctx *c, struct lambda_account **out, struct err *e)
{
	struct lambda_account_opts o = { .setting = setting_of, .region = c->o.region,
					 .endpoint = c->o.endpoint, .profile = c->o.profile };

	if (online_open(c, &c->http, e) < 0)
		return -1;
	o.http = c->http;
	return lambda_account_open(&o, out, e);
}

/* The static worker beside this program, unless another is named. */
static int read_worker(struct ctx *c, struct bytes *out, struct err *e)
{
	struct arena *a = &c->arena;
	const char *file = c->o.worker;

	if (!file)
		file = arena_printf(a, "%.*s-worker", (int)strlen(c->self), c->self);
	if (file_read(AT_FDCWD, file, WORKER_MAX, a, out, e) < 0)
		return err_wrap(e, c->o.worker ? "--worker" : "the worker that goes into a "
				"function (make worker builds it; --worker FILE names it)");
	if (!bytes_start(*out, "\x7f" "ELF"))
		return err_set(e, ERR_USAGE, "%s is no program", file);
	return 0;
}

static int whole_mb(const char *option, uint64_t n_bytes, unsigned least, unsigned most,
		    unsigned *out, struct err *e)
{
	uint64_t mb = n_bytes >> 20;

	*out = (unsigned)mb;
	if (!n_bytes || (mb >= least && mb <= most))
		return 0;
	return err_set(e, ERR_USAGE, "--%s: Lambda has from %u MB to %u MB", option, least, most);
}

static int read_spec(struct ctx *c, const char *name, struct lambda_spec *s, struct err *e)
{
	*s = (struct lambda_spec){ .name = name, .role = c->o.role, .image = c->o.image,
				   .is_arm = c->o.arm, .progress = on_progress, .arg = c,
				   .timeout_s = (unsigned)c->o.timeout_s };
	if (c->o.timeout_s > TIMEOUT_MAX || (c->o.timeout_s > 0 && s->timeout_s < 1))
		return err_set(e, ERR_USAGE, "--timeout: Lambda has from 1 s to 15 minutes");
	if (c->o.image && c->o.worker)
		return err_set(e, ERR_USAGE, "--image and --worker: say one of them");
	if (whole_mb("memory", c->o.memory_bytes, MEM_MIN, MEM_MAX, &s->mem_mb, e) < 0 ||
	    whole_mb("disk", c->o.disk_bytes, DISK_MIN, DISK_MAX, &s->disk_mb, e) < 0)
		return -1;
	return s->image ? 0 : read_worker(c, &s->worker, e);
}

static int deploy(struct ctx *c, struct lambda_account *api, const char *name, struct err *e)
{
	struct lambda_spec s;
	struct lambda_info info;

	if (read_spec(c, name, &s, e) < 0 || lambda_deploy(api, &s, &c->arena, &info, e) < 0)
		return -1;
	printf("%s: %u MB, %u s: gg force --engine lambda:function=%s:%uM%s\n",
	       shown(&c->arena, info.name), info.mem_mb, info.timeout_s,
	       shown(&c->arena, info.name), info.mem_mb,
	       info.disk_mb > DISK_MIN ? arena_printf(&c->arena, ",disk=%uM", info.disk_mb) : "");
	return 0;
}

static void print_json(const struct lambda_info *v, size_t n)
{
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, json_pack("{s:s s:s s:s s:s s:s s:i s:i s:I}",
			"name", v[i].name, "state", v[i].state, "package", v[i].package,
			"modified", v[i].modified, "arch", v[i].arch,
			"memory_mb", (int)v[i].mem_mb, "timeout_s", (int)v[i].timeout_s,
			"code_bytes", (json_int_t)v[i].code_bytes));
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

static int list(struct ctx *c, struct lambda_account *api, const char *name, struct err *e)
{
	struct lambda_info *v;
	size_t n;

	(void)name;
	if (lambda_list(api, &c->arena, &v, &n, e) < 0)
		return -1;
	if (c->o.json) {
		print_json(v, n);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		printf("%-32s %6u MB %4u s  %-6s %-7s %s\n", shown(&c->arena, v[i].name),
		       v[i].mem_mb, v[i].timeout_s, shown(&c->arena, v[i].package),
		       shown(&c->arena, v[i].arch), shown(&c->arena, v[i].modified));
	return 0;
}

static int remove_it(struct ctx *c, struct lambda_account *api, const char *name, struct err *e)
{
	(void)c;
	return lambda_remove(api, name, e);
}

static const struct lambda_verb {
	const char *name;
	int n_args;                     /* after it */
	int (*run)(struct ctx *c, struct lambda_account *api, const char *name, struct err *e);
} lambda_verbs[] = {
	{ "deploy", 1, deploy },
	{ "list", 0, list },
	{ "remove", 1, remove_it },
};

int cmd_lambda(struct ctx *c, int argc, char **argv, struct err *e)
{
	struct lambda_account *api = NULL;
	int rc = -1;

	for (size_t i = 0; i < sizeof lambda_verbs / sizeof *lambda_verbs; i++) {
		if (strcmp(argv[0], lambda_verbs[i].name) != 0)
			continue;
		if (argc - 1 != lambda_verbs[i].n_args)
			return err_set(e, ERR_USAGE, "gg lambda %s takes %s", lambda_verbs[i].name,
				       lambda_verbs[i].n_args ? "one name" : "no name");
		if (open_api(c, &api, e) == 0)
			rc = lambda_verbs[i].run(c, api, argv[1], e);
		lambda_account_close(api);
		return rc < 0 ? -1 : EXIT_FINE;
	}
	return err_set(e, ERR_USAGE, "gg lambda deploy NAME, gg lambda list or gg lambda remove "
		       "NAME, not \"%s\"", argv[0]);
}
