/* aws.h - who we are for AWS and what speaks like it: keys and region
 *
 * Private to src/backends.  aws.c (where they are looked for), aws_files.c
 * (~/.aws), aws_container.c (the endpoint of ECS and EKS, whose keys pass and
 * are renewed), aws_machine.c (that of EC2, likewise).
 */
#ifndef GG_AWS_H
#define GG_AWS_H

#include "http.h"
#include "remote.h"
#include "sigv4.h"

struct aws;

struct aws_opts {
	struct http *http;              /* for the container endpoint */
	setting_fn *setting;
	void *setting_arg;
	const char *profile;            /* NULL: AWS_PROFILE, else "default" */
};

/* Read the environment and the files; no request is made.  ERR_MISSING: there
 * are no keys anywhere; ERR_USAGE, ERR_REFUSED, ERR_BAD: what is wrong with
 * those there are. */
int aws_open(const struct aws_opts *o, struct aws **out, struct err *e);
/* Nobody who waits is called back any more. */
void aws_close(struct aws *a);

/* What was said or found; NULL: nobody says. */
const char *aws_region(const struct aws *a);
/* The authorities that sign for its servers, by AWS_CA_BUNDLE; NULL: the usual. */
const char *aws_ca_file(const struct aws *a);
/* Where the keys are from, for people. */
const char *aws_source(const struct aws *a);

/* The keys of now, until the next call; NULL: they must be waited for. */
const struct aws_keys *aws_keys(struct aws *a);
/* Counts up with each change of keys. */
unsigned aws_version(const struct aws *a);

/* done() once, later: e NULL when aws_keys() has some.  Otherwise ERR_RETRY or
 * ERR_REFUSED, with the endpoint's words. */
struct aws_wait {
	void (*done)(struct aws_wait *w, const struct err *e);
	void *arg;
	struct aws_wait *next;          /* aws.c's */
};
void aws_wait(struct aws *a, struct aws_wait *w);
void aws_unwait(struct aws *a, struct aws_wait *w);

/* The keys of that version were refused.  true: there are or will be others,
 * by aws_keys() and aws_wait(). */
bool aws_renew(struct aws *a, unsigned version);

/* Can s be part of a header? */
bool aws_is_plain(const char *s);

/* ---- aws_files.c */

/* The next "name = value" of an ini text: false at the end.  All is borrowed;
 * section is what stands in the brackets. */
struct aws_ini {
	struct bytes rest, section, name, value;
};
bool aws_ini_next(struct aws_ini *i);

struct aws_files {
	const char *credentials, *config;       /* paths; NULL: there is no home */
	const char *profile;
	bool is_named;                  /* somebody asked for this profile */
};
/* What the files say; NULL what they do not.  Strings live in a.  ERR_MISSING:
 * the profile that was asked for is in neither; ERR_REFUSED: it takes another
 * program to get its keys. */
struct aws_said {
	struct aws_keys keys;
	const char *region, *path;      /* the file that had the keys */
};
int aws_files_read(const struct aws_files *f, struct arena *a, struct aws_said *out,
		   struct err *e);

/* ---- aws_container.c */

/* The address to ask: NULL when there is none.  ERR_REFUSED: keys would come
 * over the open network. */
int aws_container_url(setting_fn *setting, void *arg, struct arena *a, const char **out,
		      struct err *e);
/* The Authorization header it wants, or NULL; a token's file is read each time. */
int aws_container_header(setting_fn *setting, void *arg, struct arena *a, const char **out,
			 struct err *e);
int aws_container_parse(struct bytes json, struct arena *a, struct aws_keys *out,
			struct err *e);

/* ---- aws_machine.c */

/* What the requests so far have given; NULL: not yet. */
struct aws_machine {
	const char *token, *role;
};
/* The address to ask: NULL when this is no machine of EC2, or it is not to be asked. */
int aws_machine_url(setting_fn *setting, void *arg, struct arena *a, const char **out,
		    struct err *e);
/* Make r the next request; with token and role its answer is the keys, as in
 * aws_container_parse(). */
void aws_machine_ask(const struct aws_machine *m, const char *base, struct arena *a,
		     const char *headers[2], struct http_request *r);
/* Take its answer, before; strings live in a. */
int aws_machine_heard(struct aws_machine *m, struct bytes said, struct arena *a, struct err *e);

#endif
