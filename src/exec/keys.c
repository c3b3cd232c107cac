/* keys.c - files of keys: one's own secret, and the public ones that are trusted
 *
 * Ed25519 by libcrypto.  The secret is a PEM file as openssl(1) writes and reads
 * it; public keys are hex, one on a line, because people pass them on.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file.h"
#include "keys_private.h"

enum { PEM_MAX = 16 << 10 };

struct trusted {
	struct public_key key;
	const char *name;
};

struct keyring {
	EVP_PKEY *secret;
	struct public_key own;
	struct trusted *v;
	size_t n;
	struct arena arena;
};

_Static_assert((int)KEY_BYTES == (int)ID_BYTES, "a public key is written as a name is");

struct id_hex public_key_hex(const struct public_key *p)
{
	struct id id;

	memcpy(id.b, p->b, KEY_BYTES);
	return id_hex(&id);
}

bool public_key_parse(struct bytes hex, struct public_key *out)
{
	struct id id;

	if (!id_parse(hex, &id))
		return false;
	memcpy(out->b, id.b, KEY_BYTES);
	return true;
}

/* ---- the secret */

static bool public_of(EVP_PKEY *secret, struct public_key *out)
{
	size_t n = KEY_BYTES;

	return EVP_PKEY_get_raw_public_key(secret, out->b, &n) == 1 && n == KEY_BYTES;
}

/* A file that is new, whole, and ours alone: written beside, then linked, which
 * replaces nothing. */
static int write_secret(const char *path, const char *pem, size_t n, struct err *e)
{
	char temp[4096];
	int fd, rc;

	snprintf(temp, sizeof temp, "%s.XXXXXX", path);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s: cannot make a file there", path);
	rc = file_write_fd(fd, pem, n) < 0 || fsync(fd) < 0 ? -1 : 0;
	if (close(fd) < 0)
		rc = -1;
	if (rc < 0)
		err_sys(e, "%s: cannot write", path);
	else if (link(temp, path) < 0)
		rc = errno == EEXIST ?
			err_set(e, ERR_REFUSED, "%s is there already: a key that is lost cannot be "
				"had again, so it is not replaced; move it away first", path) :
			err_sys(e, "%s: cannot put the new file in place", path);
	unlink(temp);
	return rc;
}

int key_make(const char *path, struct public_key *out, struct err *e)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long n;
	int rc;

	if (!key || !bio || !public_of(key, out) ||
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    (n = BIO_get_mem_data(bio, &pem)) <= 0)
		rc = err_set(e, ERR_IO, "libcrypto could not make a key");
	else
		rc = write_secret(path, pem, (size_t)n, e);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return rc;
}

static int parse_secret(struct keyring *k, const char *path, struct bytes pem, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);

	/* A password is not asked for. */
	k->secret = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, "") : NULL;
	BIO_free(bio);
	if (k->secret && EVP_PKEY_is_a(k->secret, "ED25519") && public_of(k->secret, &k->own))
		return 0;
	return err_set(e, ERR_BAD, "%s holds no Ed25519 key in PEM without a password; "
		       "gg key new makes one", path);
}

static int read_secret(struct keyring *k, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *pem;
	struct stat st;
	ssize_t n;
	int rc;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = err_sys(e, "%s: cannot read the key", path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (st.st_mode & 077) {
		close(fd);
		return err_set(e, ERR_REFUSED, "%s may be read by others, so that it is no secret; "
			       "chmod 600 it, or make another with gg key new", path);
	}
	pem = mem_alloc(PEM_MAX);
	n = file_read_fd(fd, pem, PEM_MAX);
	close(fd);
	rc = n < 0 ? err_sys(e, "%s: cannot read the key", path) :
		parse_secret(k, path, (struct bytes){ pem, (size_t)n }, e);
	OPENSSL_cleanse(pem, PEM_MAX);
	free(pem);
	return rc;
}

/* ---- those that are trusted */

static int read_line(struct keyring *k, struct bytes line, size_t number, struct err *e)
{
	struct trusted *t = &k->v[k->n];
	struct bytes name;

	while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t' ||
			  line.p[line.n - 1] == '\r'))
		line.n--;
	if (!line.n || line.p[0] == '#')
		return 0;
	if (line.n < ID_HEX || !public_key_parse((struct bytes){ line.p, ID_HEX }, &t->key) ||
	    (line.n > ID_HEX && line.p[ID_HEX] != ' ' && line.p[ID_HEX] != '\t'))
		return err_set(e, ERR_BAD, "line %zu of the trusted keys is not 64 lower-case hex "
			       "digits and perhaps a name", number);
	name = (struct bytes){ line.p + ID_HEX, line.n - ID_HEX };
	while (name.n && (*name.p == ' ' || *name.p == '\t')) {
		name.p++;
		name.n--;
	}
	t->name = arena_strn(&k->arena, name.p, name.n);
	k->n++;
	return 0;
}

int keyring_add(struct keyring *k, struct bytes text, struct err *e)
{
	const char *p = text.p, *end = text.p + text.n;
	size_t n = k->n + 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	k->v = mem_grow(k->v, n * sizeof *k->v);
	for (size_t number = 1; text.n && p < end; number++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((eol ? eol : end) - p);

		if (read_line(k, (struct bytes){ p, len }, number, e) < 0)
			return -1;
		p += len + 1;
	}
	return 0;
}

int keyring_open(const char *secret_path, struct bytes trusted, struct keyring **out,
		 struct err *e)
{
	struct keyring *k = memset(mem_alloc(sizeof *k), 0, sizeof *k);

	if ((secret_path && read_secret(k, secret_path, e) < 0) ||
	    keyring_add(k, trusted, e) < 0) {
		keyring_free(k);
		return -1;
	}
	*out = k;
	return 0;
}

void keyring_free(struct keyring *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->secret);
	free(k->v);
	arena_release(&k->arena);
	free(k);
}

bool keyring_can_sign(const struct keyring *k)
{
	return k->secret != NULL;
}

const struct public_key *keyring_own(const struct keyring *k)
{
	return k->secret ? &k->own : NULL;
}

bool keyring_trusts(const struct keyring *k, const struct public_key *p)
{
	if (k->secret && memcmp(k->own.b, p->b, KEY_BYTES) == 0)
		return true;
	for (size_t i = 0; i < k->n; i++)
		if (memcmp(k->v[i].key.b, p->b, KEY_BYTES) == 0)
			return true;
	return false;
}

void keyring_each(const struct keyring *k,
		  int (*fn)(void *arg, const struct public_key *p, const char *name), void *arg)
{
	for (size_t i = 0; i < k->n; i++)
		if (fn(arg, &k->v[i].key, k->v[i].name))
			return;
}

/* ---- signatures */

int key_sign(const struct keyring *k, struct bytes what, unsigned char out[SIGNATURE_BYTES],
	     struct err *e)
{
	const unsigned char *p = (const unsigned char *)what.p;
	EVP_MD_CTX *m;
	size_t n = SIGNATURE_BYTES;
	bool is_fine;

	if (!k->secret)
		return err_set(e, ERR_MISSING, "there is no key to sign with; "
			       "gg key new makes one");
	m = EVP_MD_CTX_new();
	is_fine = m && EVP_DigestSignInit(m, NULL, NULL, NULL, k->secret) == 1 &&
		EVP_DigestSign(m, out, &n, p, what.n) == 1 && n == SIGNATURE_BYTES;
	EVP_MD_CTX_free(m);
	return is_fine ? 0 : err_set(e, ERR_IO, "libcrypto could not sign");
}

bool key_verify(const struct public_key *p, struct bytes what,
		const unsigned char signature[SIGNATURE_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p->b,
						    KEY_BYTES);
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	bool is_good = key && m && EVP_DigestVerifyInit(m, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestVerify(m, signature, SIGNATURE_BYTES, (const unsigned char *)what.p,
				 what.n) == 1;

	EVP_MD_CTX_free(m);
	EVP_PKEY_free(key);
	return is_good;
}
