/* container_api.c - what a container engine answers, and its refusals in words */
#include "container_api.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *parse(struct bytes json, struct err *e)
{
	json_error_t bad;
	json_t *o = json_loadb(json.p ? json.p : "", json.n, JSON_DISABLE_EOF_CHECK, &bad);

	if (!o)
		err_set(e, ERR_BAD, "an answer that is no JSON (%.200s)", bad.text);
	return o;
}

/* The text of a member, which is never NULL; borrowed from o. */
static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

/* An id becomes part of a path. */
static bool is_hex(const char *s)
{
	return *s && s[strspn(s, "0123456789abcdef")] == 0;
}

const struct container_api *container_api_of(const char *libpod, const char *docker)
{
	return libpod ? &container_libpod : docker ? &container_docker : NULL;
}

int container_read_id(struct bytes json, struct arena *a, const char **id, struct err *e)
{
	json_t *o = parse(json, e);
	const char *s = text_of(o, "Id");

	if (!o)
		return -1;
	*id = arena_str(a, *s ? s : text_of(o, "id"));
	json_decref(o);
	return is_hex(*id) ? 0 :
		err_set(e, ERR_BAD, "a container without an id");
}

/* The tag of an image by that name, which is hex, so that it may name a file; or
 * NULL.  What somebody has named so by hand has no label. */
static const char *made_tag(const json_t *name, const json_t *labels)
{
	const char *s = json_string_value(name);

	if (!s || strncmp(s, CONTAINER_MADE ":", sizeof CONTAINER_MADE) != 0 ||
	    !json_object_get(labels, CONTAINER_CLOSURES))
		return NULL;
	s += sizeof CONTAINER_MADE;
	return is_hex(s) ? s : NULL;
}

int container_read_made(struct bytes json, void (*each)(void *arg, const char *tag), void *arg,
			struct err *e)
{
	json_t *o = parse(json, e), *one, *name;
	size_t i, k;

	if (!o)
		return -1;
	json_array_foreach(o, i, one) {
		const json_t *labels = json_object_get(one, "Labels");

		json_array_foreach(json_object_get(one, "RepoTags"), k, name)
			if (made_tag(name, labels))
				each(arg, made_tag(name, labels));
	}
	json_decref(o);
	return 0;
}

int container_read_image(struct bytes json, struct arena *a, struct container_picture *out,
			 struct err *e)
{
	json_t *o = parse(json, e), *config = json_object_get(o, "Config"), *name;
	json_t *labels = json_object_get(config, "Labels");
	const char *digest = json_string_value(json_array_get(json_object_get(o, "RepoDigests"),
							      0));
	const char *closures = json_string_value(json_object_get(labels, CONTAINER_CLOSURES));
	size_t i;

	if (!o)
		return -1;
	out->made = "";
	json_array_foreach(json_object_get(o, "RepoTags"), i, name) {
		if (made_tag(name, labels))
			out->made = arena_str(a, made_tag(name, labels));
	}
	out->id = arena_str(a, text_of(o, "Id"));
	out->digest = arena_str(a, digest ? digest : "");
	out->closures = closures ? arena_str(a, closures) : NULL;
	json_decref(o);
	return *out->id ? 0 : err_set(e, ERR_BAD, "an image without an id");
}

int container_read_state(struct bytes json, bool *ran_out_of_memory, struct err *e)
{
	json_t *o = parse(json, e);

	if (!o)
		return -1;
	*ran_out_of_memory = json_is_true(json_object_get(json_object_get(o, "State"),
							  "OOMKilled"));
	json_decref(o);
	return 0;
}

int container_read_list(struct bytes json,
			void (*each)(void *arg, const char *id, const char *owner, bool is_up),
			void *arg, struct err *e)
{
	json_t *o = parse(json, e), *one;
	size_t i;

	if (!o)
		return -1;
	json_array_foreach(o, i, one) {
		const char *id = text_of(one, "Id"), *state = text_of(one, "State");

		if (is_hex(id))
			each(arg, id, text_of(json_object_get(one, "Labels"), CONTAINER_OWNER),
			     strcmp(state, "exited") != 0 && strcmp(state, "dead") != 0);
	}
	json_decref(o);
	return 0;
}

int container_read_progress(struct bytes lines, struct err *e)
{
	while (lines.n) {
		const char *end = memchr(lines.p, '\n', lines.n);
		size_t n = end ? (size_t)(end - lines.p) : lines.n;
		json_error_t bad;
		json_t *o = json_loadb(lines.p, n, JSON_DISABLE_EOF_CHECK, &bad);
		const char *error = text_of(o, "error");
		int rc = *error ? err_set(e, ERR_BAD, "%.600s", error) : 0;

		json_decref(o);
		if (rc < 0)
			return -1;
		lines.p += n + (end != NULL);
		lines.n -= n + (end != NULL);
	}
	return 0;
}

/* What engines are known to say, and what there is to do. */
static const struct known {
	int status;                     /* 0: any */
	const char *said;               /* NULL: anything */
	enum err_code code;
	const char *remedy;
} known[] = {
	{ 0, "CDI", ERR_MISSING, "no CDI file names such a device on this machine; for NVIDIA's: "
	  "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml" },
	{ 0, "no such device", ERR_MISSING, "there is no such device on this machine" },
	{ 0, "could not select device driver", ERR_MISSING, "this Docker has no CDI: "
	  "version 25 with the feature \"cdi\", or podman, has" },
	{ 0, "o such image", ERR_MISSING, "say an image that is there, by its digest" },
	{ 0, "image not known", ERR_MISSING, "say an image that is there, by its digest" },
	{ 0, "manifest unknown", ERR_MISSING, "its registry has no image of that name and digest" },
	{ 0, "connection refused", ERR_RETRY, "its registry does not answer" },
	{ 0, "unauthorized", ERR_REFUSED, "log in: podman login, docker login" },
	{ 0, "no space left", ERR_IO, "make room where the container engine keeps its images" },
	{ 0, "cgroup", ERR_REFUSED, "this machine's cgroups do not take the limits; leave out "
	  "cpus= and mem=, or let the container engine use runc" },
	{ 0, "invalid reference", ERR_USAGE, "write it as NAME@sha256:64 hex digits" },
	{ 500, NULL, ERR_IO, NULL },
	{ 404, NULL, ERR_MISSING, NULL },
	{ 409, NULL, ERR_RETRY, NULL },
	{ 0, NULL, ERR_BAD, NULL },
};

int container_refusal(const char *what, int status, struct bytes body, struct err *e)
{
	const struct known *k = known;
	char said[500];
	struct err ignored;
	json_t *o = parse(body, &ignored);
	const char *message = text_of(o, "message");

	if (!*message)
		message = text_of(o, "error");
	/* Their words may hold line ends. */
	snprintf(said, sizeof said, "%s", *message ? message : "no reason given");
	for (char *p = said; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	json_decref(o);
	while ((k->status && k->status != status) || (k->said && !strstr(said, k->said)))
		k++;
	return err_set(e, k->code, "%s: %s%s%s", what, said, k->remedy ? "; " : "",
		       k->remedy ? k->remedy : "");
}

static bool says(struct bytes body, const char *text)
{
	return body.n && memmem(body.p, body.n, text, strlen(text));
}

bool container_lacks_image(struct bytes body)
{
	return says(body, "o such image") || says(body, "image not known") ||
	       says(body, "layer not known");
}

void container_put_query(struct buf *out, const char *text)
{
	for (; *text; text++) {
		bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
				(*text >= '0' && *text <= '9') || strchr("-._~", *text);

		if (is_plain)
			buf_char(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}
