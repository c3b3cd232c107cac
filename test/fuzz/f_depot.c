/* f_depot.c - any bytes as what a remote may give: a blob, a signed result, a ref, a
 * list of keys.  Nothing is believed, and what is packed comes back. */
#include <stdlib.h>
#include "depot.h"
#include "remote_gc.h"

enum { MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void as_blob(struct bytes in, struct arena *a)
{
	struct id own = id_of(in), other = id_of((struct bytes){ "", 0 });
	struct buf packed = { 0 };
	struct bytes out;
	struct err e;

	if (codec_unpack(in, &own, MAX, a, &out, &e) < 0 || !bytes_equal(in, out))
		abort();
	if (in.n && codec_unpack(in, &other, MAX, a, &out, &e) == 0 && out.n)
		abort();
	if (codec_pack(in, &packed) &&
	    (packed.n >= in.n || codec_unpack(buf_bytes(&packed), &own, MAX, a, &out, &e) < 0 ||
	     !bytes_equal(in, out)))
		abort();
	buf_release(&packed);
}

/* Nobody has the secret of this key, so that nothing can be signed by it. */
static void as_signed(struct bytes in)
{
	static const char trusted[] =
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a nobody\n";
	struct id thunk = id_of((struct bytes){ "", 0 });
	struct bytes result;
	struct public_key by;
	struct keyring *k;
	struct err e;

	if (keyring_open(NULL, bytes_str(trusted), &k, &e) < 0 ||
	    signed_read(k, &thunk, in, &result, &by, &e) == 0)
		abort();
	keyring_free(k);
}

static void as_keys(struct bytes in)
{
	struct keyring *k;
	struct err e;

	if (keyring_open(NULL, in, &k, &e) == 0)
		keyring_free(k);
}

static void as_ref(struct bytes in, struct arena *a)
{
	struct id *v;
	size_t n;
	int64_t date_s;
	struct err e;

	if (remote_ref_read(in, a, &v, &n, &date_s, &e) == 0)
		for (size_t i = 1; i < n; i++)
			if (bytes_compare(id_key(&v[i - 1]), id_key(&v[i])) >= 0)
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes in = { (const char *)p, n };
	struct arena a = { 0 };
	char *key = arena_strn(&a, in.p, n);

	as_blob(in, &a);
	as_signed(in);
	as_keys(in);
	as_ref(in, &a);
	if (remote_key_is_good(key) && (*key == '/' || *key == '.'))
		abort();
	arena_release(&a);
	return 0;
}
