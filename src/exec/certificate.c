/* certificate.c - a key and a certificate for one run, by OpenSSL */
#include "certificate.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include "base64.h"
#include "id.h"

/* Runs end within weeks, and clocks differ: from a day ago, for a year. */
enum { DAY_S = 86400, DAYS = 365 };

static int take_text(BIO *from, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(from, &p);

	buf_reset(out);
	buf_add(out, p, (size_t)n);
	return n > 0 ? 0 : -1;
}

static int write_texts(EVP_PKEY *key, X509 *x, struct certificate *out)
{
	BIO *k = BIO_new(BIO_s_mem()), *c = BIO_new(BIO_s_mem());
	int rc = -1;

	if (k && c && PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	    PEM_write_bio_X509(c, x) == 1 && take_text(k, &out->key) == 0 &&
	    take_text(c, &out->certificate) == 0)
		rc = 0;
	BIO_free(k);
	BIO_free(c);
	return rc;
}

static int write_pin(EVP_PKEY *key, struct certificate *out)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	struct buf text = { 0 };
	struct id id;

	if (n <= 0)
		return -1;
	id = id_of((struct bytes){ (const char *)der, (size_t)n });
	base64_encode((struct bytes){ (const char *)id.b, sizeof id.b }, &text);
	snprintf(out->pin, sizeof out->pin, "sha256//%s", text.p);
	buf_release(&text);
	OPENSSL_free(der);
	return 0;
}

static int fill(X509 *x, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(x);
	uint64_t serial;

	if (RAND_bytes((unsigned char *)&serial, sizeof serial) != 1)
		return -1;
	return X509_set_version(x, 2) == 1 &&
		ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1 &&
		X509_gmtime_adj(X509_getm_notBefore(x), -DAY_S) &&
		X509_gmtime_adj(X509_getm_notAfter(x), (long)DAYS * DAY_S) &&
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					   (const unsigned char *)"gg", -1, -1, 0) == 1 &&
		X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
		X509_sign(x, key, EVP_sha256()) > 0 ? 0 : -1;
}

int certificate_make(struct certificate *out, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	int rc = -1;

	*out = (struct certificate){ .pin = "" };
	if (key && x && fill(x, key) == 0 && write_texts(key, x, out) == 0 &&
	    write_pin(key, out) == 0)
		rc = 0;
	X509_free(x);
	EVP_PKEY_free(key);
	if (rc == 0)
		return 0;
	certificate_release(out);
	return err_set(e, ERR_IO, "no certificate could be made: OpenSSL fails on this machine");
}

/* The key is wiped: memory is used again. */
void certificate_release(struct certificate *c)
{
	if (c->key.p)
		OPENSSL_cleanse(c->key.p, c->key.n);
	buf_release(&c->key);
	buf_release(&c->certificate);
}
