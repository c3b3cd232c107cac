/* oci.c - the JSON of an image: config, manifest, index
 *
 * One spelling each: keys sorted, no white space.  Their bytes are named, and
 * the name is the image's.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "image_private.h"

#if defined(__aarch64__)
#define ARCH "arm64"
#else
#define ARCH "amd64"
#endif

#define CREATED "1970-01-01T00:00:01Z"

struct digest {
	char s[sizeof "sha256:" + ID_HEX];
};

static struct digest digest(const struct id *id)
{
	struct digest d = { "sha256:" };

	strcat(d.s, id_hex(id).s);
	return d;
}

static struct bytes text(json_t *o, struct arena *a)
{
	char *s = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	struct bytes b;

	if (!s)
		abort();
	b = arena_bytes(a, bytes_str(s));
	free(s);
	json_decref(o);
	return b;
}

static json_t *descriptor(const struct image_blob *b)
{
	return json_pack("{s:s s:s s:I}", "mediaType", b->type, "digest", digest(&b->id).s,
			 "size", (json_int_t)b->n_bytes);
}

static int by_hex(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct id));
}

/* The closures that the image satisfies: names with a space between. */
static json_t *labels(const struct image_opts *o)
{
	struct id *ids = mem_alloc((o->n_closures + 1) * sizeof *ids);
	struct buf b = { 0 };
	json_t *out;

	if (o->n_closures)
		memcpy(ids, o->closures, o->n_closures * sizeof *ids);
	qsort(ids, o->n_closures, sizeof *ids, by_hex);
	buf_str(&b, "");
	for (size_t i = 0; i < o->n_closures; i++)
		buf_printf(&b, "%s%s", i ? " " : "", id_hex(&ids[i]).s);
	out = json_pack("{s:s}", "gg.closures", b.p);
	buf_release(&b);
	free(ids);
	return out;
}

struct bytes oci_config(const struct image *m, const struct image_opts *o,
			struct arena *a)
{
	json_t *diffs = json_array(), *history = json_array();

	for (size_t i = 0; i < m->n; i++) {
		json_array_append_new(diffs, json_string(digest(&m->blobs[i].raw_id).s));
		json_array_append_new(history, json_pack("{s:s s:s}", "created", CREATED,
				      "created_by", m->blobs[i].what));
	}
	return text(json_pack("{s:s s:s s:s s:{s:[s s] s:s s:o} s:{s:s s:o} s:o}",
			      "architecture", ARCH, "os", "linux", "created", CREATED,
			      "config", "Entrypoint", IMAGE_WORKER, "worker",
			      "WorkingDir", "/tmp", "Labels", labels(o),
			      "rootfs", "type", "layers", "diff_ids", diffs,
			      "history", history), a);
}

struct bytes oci_manifest(const struct image *m, struct arena *a)
{
	json_t *layers = json_array();

	for (size_t i = 0; i + 1 < m->n; i++)
		json_array_append_new(layers, descriptor(&m->blobs[i]));
	return text(json_pack("{s:i s:s s:o s:o}", "schemaVersion", 2,
			      "mediaType", OCI_MANIFEST_TYPE,
			      "config", descriptor(&m->blobs[m->n - 1]),
			      "layers", layers), a);
}

struct bytes oci_index(const struct image *m, const char *name, struct arena *a)
{
	json_t *d = descriptor(&m->manifest);

	if (name)
		json_object_set_new(d, "annotations", json_pack("{s:s}",
				    "org.opencontainers.image.ref.name", name));
	return text(json_pack("{s:i s:s s:[o]}", "schemaVersion", 2, "mediaType",
			      OCI_INDEX_TYPE, "manifests", d), a);
}
