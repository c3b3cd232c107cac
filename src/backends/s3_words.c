/* s3_words.c - what S3 says: XML, and the meaning of its refusals */
#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include "s3.h"

enum { DEPTH_MAX = 32, TEXT_MAX = 64 << 10 };

struct reading {
	const struct s3_reader *r;
	XML_Parser parser;
	struct buf text;
	bool is_leaf;                   /* no element began since this one did */
	unsigned depth;
};

static const char *without_space(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon ? colon + 1 : name;
}

static void begun(void *arg, const char *name, const char **attributes)
{
	struct reading *x = arg;

	(void)name;
	(void)attributes;
	buf_reset(&x->text);
	x->is_leaf = true;
	if (++x->depth > DEPTH_MAX)
		XML_StopParser(x->parser, XML_FALSE);
}

static void ended(void *arg, const char *name)
{
	struct reading *x = arg;

	name = without_space(name);
	if (x->is_leaf && x->r->leaf)
		x->r->leaf(x->r->arg, name, x->text.p ? x->text.p : "");
	if (x->r->end)
		x->r->end(x->r->arg, name);
	x->is_leaf = false;
	x->depth--;
}

static void said(void *arg, const char *p, int n)
{
	struct reading *x = arg;

	if (x->text.n + (size_t)n > TEXT_MAX)
		XML_StopParser(x->parser, XML_FALSE);
	else
		buf_add(&x->text, p, (size_t)n);
}

/* No answer of S3 defines entities; what does is not read further. */
static void defines(void *arg, const char *name, const char *system, const char *public, int has)
{
	struct reading *x = arg;

	(void)name;
	(void)system;
	(void)public;
	(void)has;
	XML_StopParser(x->parser, XML_FALSE);
}

int s3_read_xml(struct bytes xml, const struct s3_reader *r, struct err *e)
{
	struct reading x = { .r = r, .parser = XML_ParserCreate(NULL) };
	int rc = 0;

	if (!x.parser)
		abort();
	XML_SetUserData(x.parser, &x);
	XML_SetElementHandler(x.parser, begun, ended);
	XML_SetCharacterDataHandler(x.parser, said);
	XML_SetStartDoctypeDeclHandler(x.parser, defines);
	if (xml.n > INT32_MAX || XML_Parse(x.parser, xml.p ? xml.p : "", (int)xml.n, 1) !=
	    XML_STATUS_OK)
		rc = err_set(e, ERR_BAD, "what the server answers is not the XML of S3: is this "
			     "the address of an S3 endpoint?");
	XML_ParserFree(x.parser);
	buf_release(&x.text);
	return rc;
}

struct wanted {
	const char *name;
	struct arena *a;
	const char *text;
};

static void note_wanted(void *arg, const char *name, const char *text)
{
	struct wanted *w = arg;

	if (!w->text && strcmp(name, w->name) == 0)
		w->text = arena_str(w->a, text);
}

const char *s3_xml_text(struct bytes xml, const char *name, struct arena *a)
{
	struct wanted w = { .name = name, .a = a };
	struct err e;

	if (!xml.n || s3_read_xml(xml, &(struct s3_reader){ note_wanted, NULL, &w }, &e) < 0)
		return NULL;
	return w.text;
}

#define CLOCK_IS_OFF \
	"this machine's clock is too far from the server's: set it right (timedatectl " \
	"set-ntp true)"
#define TOKEN_IS_OLD \
	"the session token has expired: get new keys, and set AWS_SESSION_TOKEN with them"
#define OTHER_REGION "the bucket is in another region: add region=NAME to its address"

/* The first row that fits counts: by code, then by status alone. */
static const struct s3_meaning meanings[] = {
	{ "RequestTimeTooSkewed", 0, S3_CLOCK, ERR_REFUSED, CLOCK_IS_OFF },
	{ "RequestExpired", 0, S3_CLOCK, ERR_REFUSED, CLOCK_IS_OFF },
	{ "ExpiredToken", 0, S3_KEYS, ERR_REFUSED, TOKEN_IS_OLD },
	{ "TokenRefreshRequired", 0, S3_KEYS, ERR_REFUSED, TOKEN_IS_OLD },
	{ "InvalidToken", 0, S3_KEYS, ERR_REFUSED,
	  "the session token is not one of these keys: AWS_SESSION_TOKEN must be from the "
	  "same answer as they are" },
	{ "InvalidAccessKeyId", 0, S3_KEYS, ERR_REFUSED,
	  "nobody there knows the access key: is it for this server, and is a session token "
	  "missing?" },
	{ "SignatureDoesNotMatch", 0, S3_KEYS, ERR_REFUSED,
	  "the secret key is wrong: AWS_SECRET_ACCESS_KEY is not that of the access key" },
	{ "AuthorizationHeaderMalformed", 0, S3_REGION, ERR_REFUSED, OTHER_REGION },
	{ "PermanentRedirect", 0, S3_REGION, ERR_REFUSED,
	  "the bucket is in another region: add region=NAME to its address, or its own "
	  "endpoint=URL" },
	{ "TemporaryRedirect", 0, S3_ASIDE, ERR_RETRY, "the bucket moves" },
	{ "IllegalLocationConstraintException", 0, S3_REGION, ERR_REFUSED, OTHER_REGION },
	{ "NoSuchBucket", 0, S3_GIVE_UP, ERR_REFUSED,
	  "there is no such bucket: make it first, or mend its name" },
	{ "NoSuchUpload", 0, S3_GIVE_UP, ERR_RETRY, "the upload was ended by somebody else" },
	{ "QuotaExceeded", 0, S3_GIVE_UP, ERR_IO, "the quota there is used up" },
	{ "AccessDenied", 0, S3_GIVE_UP, ERR_REFUSED,
	  "these keys may not do that: they need s3:GetObject, s3:PutObject, s3:DeleteObject "
	  "and, or else what is absent reads as forbidden, s3:ListBucket (some servers say "
	  "the same when the secret is wrong, or a session has ended: then get new keys)" },
	{ "AccountProblem", 0, S3_GIVE_UP, ERR_REFUSED, "the account may do nothing" },
	{ "UserSuspended", 0, S3_GIVE_UP, ERR_REFUSED, "the account may do nothing" },
	{ "EntityTooLarge", 0, S3_GIVE_UP, ERR_REFUSED, "it is larger than objects may be" },
	{ "BadDigest", 0, S3_AGAIN, ERR_RETRY, "what arrived is not what was sent" },
	{ "XAmzContentSHA256Mismatch", 0, S3_AGAIN, ERR_RETRY,
	  "what arrived is not what was sent" },
	{ "RequestTimeout", 0, S3_AGAIN, ERR_RETRY, "the server waited too long" },
	{ "OperationAborted", 0, S3_AGAIN, ERR_RETRY, "somebody else does the same" },
	{ "ConditionalRequestConflict", 0, S3_AGAIN, ERR_RETRY, "somebody else does the same" },
	{ NULL, 301, S3_REGION, ERR_REFUSED,
	  "the bucket is in another region: add region=NAME to its address, or its own "
	  "endpoint=URL" },
	{ NULL, 307, S3_ASIDE, ERR_RETRY, "the bucket moves" },
	{ NULL, 401, S3_GIVE_UP, ERR_REFUSED, "the keys are refused" },
	{ NULL, 403, S3_GIVE_UP, ERR_REFUSED, "that is forbidden with these keys" },
	{ NULL, 404, S3_GIVE_UP, ERR_MISSING, "it is not there" },
	{ NULL, 408, S3_AGAIN, ERR_RETRY, "the server waited too long" },
	{ NULL, 412, S3_GIVE_UP, ERR_REFUSED, "it is there already" },
	{ NULL, 413, S3_GIVE_UP, ERR_REFUSED, "it is larger than objects may be" },
	{ NULL, 429, S3_AGAIN, ERR_RETRY, "the server asks to slow down" },
	{ NULL, 500, S3_AGAIN, ERR_RETRY, "the server has an error of its own" },
	{ NULL, 502, S3_AGAIN, ERR_RETRY, "the server is not reached by its gateway" },
	{ NULL, 503, S3_AGAIN, ERR_RETRY, "the server asks to slow down" },
	{ NULL, 504, S3_AGAIN, ERR_RETRY, "the server is not reached by its gateway" },
	{ NULL, 507, S3_GIVE_UP, ERR_IO, "there is no room left there" },
	{ NULL, 0, S3_GIVE_UP, ERR_BAD, "the server does not understand" },
};

const struct s3_meaning *s3_meaning_of(int status, const char *code)
{
	const struct s3_meaning *m = meanings;

	while ((m->code && strcmp(m->code, code) != 0) || (m->status && m->status != status))
		m++;
	return m;
}
