/* httpd_absent.c - what Debian's libmicrohttpd.a refers to for TLS
 *
 * GnuTLS has no archive that could be linked.  gg-worker serves one thing, the
 * container of an OpenWhisk action, which speaks plain HTTP: a daemon without TLS
 * calls nothing of this but the first two.
 */
#include "absent.h"

#include <stddef.h>

FAILS_WITH(int, 0, gnutls_global_init)
NOTHING(gnutls_global_deinit)

extern void *(*gnutls_malloc)(size_t n);
void *(*gnutls_malloc)(size_t n) = NULL;

FAILS_WITH(int, -1, gnutls_alpn_set_protocols)
FAILS_WITH(int, -1, gnutls_bye)
FAILS_WITH(int, -1, gnutls_certificate_allocate_credentials)
FAILS_WITH(int, -1, gnutls_certificate_set_x509_key_mem)
FAILS_WITH(int, -1, gnutls_certificate_set_x509_key_mem2)
FAILS_WITH(int, -1, gnutls_certificate_set_x509_trust_mem)
FAILS_WITH(int, -1, gnutls_cipher_get)
FAILS_WITH(int, -1, gnutls_credentials_set)
FAILS_WITH(int, -1, gnutls_dh_params_import_pkcs3)
FAILS_WITH(int, -1, gnutls_dh_params_init)
FAILS_WITH(int, -1, gnutls_handshake)
FAILS_WITH(int, -1, gnutls_init)
FAILS_WITH(int, -1, gnutls_priority_init)
FAILS_WITH(int, -1, gnutls_priority_set)
FAILS_WITH(int, -1, gnutls_protocol_get_version)
FAILS_WITH(int, -1, gnutls_psk_allocate_server_credentials)
FAILS_WITH(int, -1, gnutls_record_check_pending)
FAILS_WITH(int, -1, gnutls_record_get_direction)
FAILS_WITH(int, -1, gnutls_record_recv)
FAILS_WITH(int, -1, gnutls_record_send)

POINTER(gnutls_session_get_ptr)
POINTER(gnutls_strerror)

NOTHING(gnutls_certificate_free_credentials)
NOTHING(gnutls_certificate_server_set_request)
NOTHING(gnutls_certificate_set_dh_params)
NOTHING(gnutls_certificate_set_retrieve_function2)
NOTHING(gnutls_certificate_set_retrieve_function3)
NOTHING(gnutls_deinit)
NOTHING(gnutls_dh_params_deinit)
NOTHING(gnutls_priority_deinit)
NOTHING(gnutls_psk_free_server_credentials)
NOTHING(gnutls_psk_set_server_credentials_function)
NOTHING(gnutls_session_set_ptr)
NOTHING(gnutls_transport_set_int2)
