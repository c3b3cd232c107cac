/* signed.c - the text of a signed result
 *
 *     gg-signed 1\n
 *     key <64 hex>\n
 *     sig <128 hex>\n
 *     gg-result 1\n...
 *
 * All before the result has one length, so that it is read by position.
 */
#include <stdlib.h>
#include <string.h>
#include "keys_private.h"

#define MAGIC "gg-signed 1\n"
enum {
	KEY_AT = sizeof MAGIC - 1 + 4,          /* after "key " */
	SIG_AT = KEY_AT + ID_HEX + 1 + 4,       /* after "\nsig " */
	RESULT_AT = SIG_AT + 2 * ID_HEX + 1,
};

_Static_assert((int)SIGNATURE_BYTES == 2 * (int)ID_BYTES, "it is written as two names");

static void put_signed(struct buf *b, const struct id *thunk, struct bytes result)
{
	buf_str(b, MAGIC);
	buf_str(b, id_hex(thunk).s);
	buf_char(b, '\n');
	buf_add(b, result.p, result.n);
}

int signed_write(const struct keyring *k, const struct id *thunk, struct bytes result,
		 struct buf *out, struct err *e)
{
	unsigned char sig[SIGNATURE_BYTES];
	struct buf what = { 0 };
	struct id half[2];
	int rc;

	put_signed(&what, thunk, result);
	rc = key_sign(k, buf_bytes(&what), sig, e);
	buf_release(&what);
	if (rc < 0)
		return -1;
	memcpy(half[0].b, sig, ID_BYTES);
	memcpy(half[1].b, sig + ID_BYTES, ID_BYTES);
	buf_printf(out, MAGIC "key %s\nsig %s%s\n", public_key_hex(keyring_own(k)).s,
		   id_hex(&half[0]).s, id_hex(&half[1]).s);
	buf_add(out, result.p, result.n);
	return 0;
}

static bool read_head(struct bytes t, struct public_key *by, unsigned char *sig)
{
	struct id half[2];

	if (t.n < RESULT_AT || memcmp(t.p, MAGIC "key ", KEY_AT) != 0 ||
	    memcmp(t.p + KEY_AT + ID_HEX, "\nsig ", 5) != 0 || t.p[RESULT_AT - 1] != '\n' ||
	    !public_key_parse((struct bytes){ t.p + KEY_AT, ID_HEX }, by) ||
	    !id_parse((struct bytes){ t.p + SIG_AT, ID_HEX }, &half[0]) ||
	    !id_parse((struct bytes){ t.p + SIG_AT + ID_HEX, ID_HEX }, &half[1]))
		return false;
	memcpy(sig, half[0].b, ID_BYTES);
	memcpy(sig + ID_BYTES, half[1].b, ID_BYTES);
	return true;
}

int signed_read(const struct keyring *k, const struct id *thunk, struct bytes text,
		struct bytes *result, struct public_key *by, struct err *e)
{
	unsigned char sig[SIGNATURE_BYTES];
	struct buf what = { 0 };
	bool is_good;

	if (!read_head(text, by, sig))
		return err_set(e, ERR_BAD, "this is no signed result");
	*result = (struct bytes){ text.p + RESULT_AT, text.n - RESULT_AT };
	put_signed(&what, thunk, *result);
	is_good = key_verify(by, buf_bytes(&what), sig);
	buf_release(&what);
	if (!is_good)
		return err_set(e, ERR_BAD, "the signature of this result is wrong");
	if (!keyring_trusts(k, by))
		return err_set(e, ERR_REFUSED, "this result is signed by %s, which is not trusted; "
			       "gg key trust does that", public_key_hex(by).s);
	return 0;
}
