/* Keys and signed results keep the promises of keys.h, and are what other programs
 * understand by Ed25519. */
#include "keys.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>
#include "base64.h"
#include "file.h"
#include "test.h"

static char dir[] = "/tmp/gg-keys-XXXXXX";
static struct arena arena;
static struct err e;

static const char *in_dir(const char *name)
{
	return arena_printf(&arena, "%s/%s", dir, name);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	MUST(file_write(AT_FDCWD, in_dir(name), bytes_str(text), mode, 0, &e), e);
}

static bool opens(const char *name, enum err_code code, const char *says)
{
	struct keyring *k;

	if (keyring_open(in_dir(name), (struct bytes){ 0 }, &k, &e) == 0) {
		keyring_free(k);
		return code == ERR_NONE;
	}
	return e.code == code && strstr(e.text, says) && strstr(e.text, name);
}

static void made(void)
{
	struct public_key p, q;
	struct keyring *k;
	struct stat st;
	struct bytes before, after;

	MUST(key_make(in_dir("new"), &p, &e), e);
	CHECK(stat(in_dir("new"), &st) == 0 && (st.st_mode & 07777) == 0600);
	MUST(keyring_open(in_dir("new"), (struct bytes){ 0 }, &k, &e), e);
	CHECK(keyring_can_sign(k) && memcmp(keyring_own(k)->b, p.b, KEY_BYTES) == 0);
	CHECK(keyring_trusts(k, &p));
	keyring_free(k);
	/* Another is never written over it, and leaves nothing behind. */
	MUST(file_read(AT_FDCWD, in_dir("new"), 1 << 20, &arena, &before, &e), e);
	CHECK(key_make(in_dir("new"), &q, &e) < 0 && e.code == ERR_REFUSED);
	MUST(file_read(AT_FDCWD, in_dir("new"), 1 << 20, &arena, &after, &e), e);
	CHECK(bytes_equal(before, after));
	CHECK(key_make(in_dir("none/new"), &q, &e) < 0 && e.code == ERR_IO);
	MUST(key_make(in_dir("second"), &q, &e), e);
	CHECK(memcmp(p.b, q.b, KEY_BYTES) != 0);
	CHECK(!strstr(e.text, "PRIVATE"));
}

/* openssl(1) reads the file, and sees the same public half. */
static void understood(void)
{
	struct public_key p;
	struct keyring *k;
	struct bytes der;

	MUST(key_make(in_dir("for-openssl"), &p, &e), e);
	if (system(arena_printf(&arena, "openssl pkey -in %s -pubout -outform DER -out %s",
				in_dir("for-openssl"), in_dir("der"))) != 0)
		CHECK(!"openssl reads the key");
	MUST(file_read(AT_FDCWD, in_dir("der"), 1 << 20, &arena, &der, &e), e);
	CHECK(der.n == 44 && memcmp(der.p + 12, p.b, KEY_BYTES) == 0);
	CHECK(system(arena_printf(&arena, "umask 077; openssl genpkey -algorithm ed25519 -out %s",
				  in_dir("by-openssl"))) == 0);
	MUST(keyring_open(in_dir("by-openssl"), (struct bytes){ 0 }, &k, &e), e);
	CHECK(keyring_can_sign(k));
	keyring_free(k);
}

static void refused(void)
{
	MUST(key_make(in_dir("open"), &(struct public_key){ { 0 } }, &e), e);
	CHECK(chmod(in_dir("open"), 0640) == 0);
	CHECK(opens("open", ERR_REFUSED, "chmod 600"));
	write_file("text", "not a key\n", 0600);
	CHECK(opens("text", ERR_BAD, "no Ed25519 key"));
	write_file("empty", "", 0600);
	CHECK(opens("empty", ERR_BAD, "no Ed25519 key"));
	CHECK(system(arena_printf(&arena, "umask 077; openssl genpkey -algorithm RSA -out %s "
				  "2>/dev/null", in_dir("rsa"))) == 0);
	CHECK(opens("rsa", ERR_BAD, "no Ed25519 key"));
	CHECK(system(arena_printf(&arena, "umask 077; openssl pkey -in %s -aes128 -passout "
				  "pass:x -out %s", in_dir("new"), in_dir("locked"))) == 0);
	CHECK(opens("locked", ERR_BAD, "without a password"));
	CHECK(opens("absent", ERR_NONE, ""));
}

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int name_key(void *arg, const struct public_key *p, const char *name)
{
	buf_printf(arg, "%.4s=%s,", public_key_hex(p).s, name);
	return 0;
}

static void lists(void)
{
	static const struct { const char *text; int line; } bad[] = {
		{ "x\n", 1 }, { A "\n" "AAAA\n", 2 }, { "#\n\n" A "x\n", 3 }, { " " A "\n", 1 },
		{ "\xff\n", 1 },
	};
	struct public_key a, b;
	struct keyring *k;
	struct buf names = { 0 };

	CHECK(public_key_parse(bytes_str(A), &a) && public_key_parse(bytes_str(B), &b));
	CHECK(!public_key_parse(bytes_str(A "a"), &a) && !public_key_parse(bytes_str("a"), &a));
	MUST(keyring_open(NULL, bytes_str("# mine\n" A " ann of the lab  \r\n\n"), &k, &e), e);
	CHECK(keyring_trusts(k, &a) && !keyring_trusts(k, &b) && !keyring_can_sign(k));
	CHECK(!keyring_own(k));
	MUST(keyring_add(k, bytes_str(B), &e), e);
	CHECK(keyring_trusts(k, &a) && keyring_trusts(k, &b));
	keyring_each(k, name_key, &names);
	CHECK_STR(names.p, "aaaa=ann of the lab,bbbb=,");
	keyring_free(k);
	buf_release(&names);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK(keyring_open(NULL, bytes_str(bad[i].text), &k, &e) < 0 && e.code == ERR_BAD);
		CHECK(strstr(e.text, arena_printf(&arena, "line %d ", bad[i].line)) != NULL);
	}
}

/* The first key of RFC 8032, 7.1, as PEM. */
static const char rfc_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
	"-----END PRIVATE KEY-----\n";
static const char rfc_public[] =
	"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/* One spelling, pinned: who changes it changes what every remote holds. */
static void pinned(void)
{
	static const char result[] = "gg-result 1\nout value " A " model\n";
	struct id thunk = id_of(bytes_str("a thunk"));
	struct buf out = { 0 };
	struct bytes text;
	struct public_key by;
	struct keyring *k;
	struct id id;

	write_file("rfc", rfc_pem, 0600);
	MUST(keyring_open(in_dir("rfc"), (struct bytes){ 0 }, &k, &e), e);
	CHECK_STR(public_key_hex(keyring_own(k)).s, rfc_public);
	MUST(signed_write(k, &thunk, bytes_str(result), &out, &e), e);
	id = id_of(buf_bytes(&out));
	CHECK(strncmp(out.p, "gg-signed 1\nkey d75a98", 22) == 0);
	CHECK_STR(id_hex(&id).s, "42f292e5c17d20053a48698ee49fd928e468eda20154e6524dfa17fea99b75ed");
	MUST(signed_read(k, &thunk, buf_bytes(&out), &text, &by, &e), e);
	CHECK(bytes_equal(text, bytes_str(result)));
	CHECK_STR(public_key_hex(&by).s, rfc_public);
	keyring_free(k);
	MUST(keyring_open(NULL, (struct bytes){ 0 }, &k, &e), e);
	CHECK(signed_read(k, &thunk, buf_bytes(&out), &text, &by, &e) < 0);
	CHECK(e.code == ERR_REFUSED && strstr(e.text, rfc_public));
	CHECK(signed_write(k, &thunk, bytes_str(result), &out, &e) < 0 && e.code == ERR_MISSING);
	/* Cut anywhere before the result, it is none. */
	for (size_t n = 0; n < 200; n++)
		CHECK(signed_read(k, &thunk, (struct bytes){ out.p, n }, &text, &by, &e) < 0 &&
		      e.code == ERR_BAD);
	keyring_free(k);
	buf_release(&out);
}

static const struct test tests[] = {
	{ "a new key is a file of one's own and replaces none", made },
	{ "openssl understands our keys, and we its", understood },
	{ "keys that others may read, and what is no key, are refused", refused },
	{ "lists of trusted keys have comments and names, and bad lines are named", lists },
	{ "a signed result has one spelling", pinned },
	{ 0 }
};

int main(void)
{
	int rc;

	if (!mkdtemp(dir))
		return 1;
	rc = test_main(tests);
	dir_remove(AT_FDCWD, dir, &e);
	arena_release(&arena);
	return rc;
}
