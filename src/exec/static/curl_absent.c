/* curl_absent.c - what Debian's libcurl.a refers to and gg-worker never calls
 *
 * The archive was made for everything: LDAP, SSH, RTMP, Kerberos, Brotli.  gg asks it
 * for http and https alone (CURLOPT_PROTOCOLS_STR), with ASCII hosts, neither
 * cookies nor Negotiate.  Some of those libraries have no archive (Kerberos),
 * the others would double the program; so here is a failure by each one's own
 * convention.  What libcurl does call when it starts says that all is well.
 */
#include "absent.h"

#include <stddef.h>

/* Called when libcurl starts, or for its list of versions. */
FAILS_WITH(int, 0, libssh2_init)
NOTHING(libssh2_exit)
POINTER(libssh2_version)
POINTER(idn2_check_version)

/* Names of hosts that are not ASCII. */
NUMBER(idn2_lookup_ul)
NOTHING(idn2_free)

/* Which cookies are too wide. */
POINTER(psl_builtin)
POINTER(psl_latest)
NOTHING(psl_free)
FAILS_WITH(int, 0, psl_is_cookie_domain_acceptable)

/* Kerberos: every routine's error has a bit from 16 on. */
#define GSS(name) FAILS_WITH(unsigned, 13u << 16, name)
GSS(gss_delete_sec_context)
GSS(gss_display_name)
GSS(gss_display_status)
GSS(gss_import_name)
GSS(gss_init_sec_context)
GSS(gss_inquire_context)
GSS(gss_release_buffer)
GSS(gss_release_name)
GSS(gss_unwrap)
GSS(gss_wrap)
extern void *const GSS_C_NT_HOSTBASED_SERVICE;
void *const GSS_C_NT_HOSTBASED_SERVICE = NULL;

/* Brotli, which gg does not say it takes. */
POINTER(BrotliDecoderCreateInstance)
FAILS_WITH(int, 0, BrotliDecoderDecompressStream)
NOTHING(BrotliDecoderDestroyInstance)
FAILS_WITH(int, -1, BrotliDecoderGetErrorCode)
FAILS_WITH(unsigned, 0, BrotliDecoderVersion)

/* LDAP. */
NOTHING(ber_bvfree)
NOTHING(ber_free)
NOTHING(ber_memfree)
NUMBER(ber_sockbuf_add_io)
NUMBER(ldap_abandon_ext)
POINTER(ldap_err2string)
NOTHING(ldap_free_urldesc)
NUMBER(ldap_get_attribute_ber)
NUMBER(ldap_get_dn_ber)
NUMBER(ldap_get_option)
NUMBER(ldap_init_fd)
NOTHING(ldap_memfree)
NUMBER(ldap_msgfree)
NUMBER(ldap_msgtype)
NUMBER(ldap_parse_result)
NUMBER(ldap_parse_sasl_bind_result)
NUMBER(ldap_pvt_url_scheme2proto)
NUMBER(ldap_result)
NUMBER(ldap_sasl_bind)
NUMBER(ldap_search_ext)
NUMBER(ldap_set_option)
NUMBER(ldap_start_tls)
NUMBER(ldap_unbind_ext)
NUMBER(ldap_url_parse)

/* RTMP. */
POINTER(RTMP_Alloc)
NOTHING(RTMP_Close)
FAILS_WITH(int, 0, RTMP_Connect1)
FAILS_WITH(int, 0, RTMP_ConnectStream)
NOTHING(RTMP_Free)
NOTHING(RTMP_Init)
FAILS_WITH(int, 0, RTMP_Read)
NOTHING(RTMP_SetBufferMS)
FAILS_WITH(int, 0, RTMP_SetupURL)
FAILS_WITH(int, 0, RTMP_Write)

/* SSH. */
NUMBER(libssh2_agent_connect)
NUMBER(libssh2_agent_disconnect)
NOTHING(libssh2_agent_free)
NUMBER(libssh2_agent_get_identity)
POINTER(libssh2_agent_init)
NUMBER(libssh2_agent_list_identities)
NUMBER(libssh2_agent_userauth)
NUMBER(libssh2_channel_free)
NUMBER(libssh2_channel_read_ex)
NUMBER(libssh2_channel_send_eof)
NUMBER(libssh2_channel_wait_closed)
NUMBER(libssh2_channel_wait_eof)
NUMBER(libssh2_channel_write_ex)
POINTER(libssh2_hostkey_hash)
NUMBER(libssh2_knownhost_add)
NUMBER(libssh2_knownhost_checkp)
NUMBER(libssh2_knownhost_del)
NOTHING(libssh2_knownhost_free)
NUMBER(libssh2_knownhost_get)
POINTER(libssh2_knownhost_init)
NUMBER(libssh2_knownhost_readfile)
NUMBER(libssh2_knownhost_writefile)
POINTER(libssh2_scp_recv2)
POINTER(libssh2_scp_send64)
POINTER(libssh2_session_abstract)
NUMBER(libssh2_session_block_directions)
POINTER(libssh2_session_callback_set)
NUMBER(libssh2_session_disconnect_ex)
NUMBER(libssh2_session_flag)
NUMBER(libssh2_session_free)
NUMBER(libssh2_session_handshake)
POINTER(libssh2_session_hostkey)
POINTER(libssh2_session_init_ex)
NUMBER(libssh2_session_last_errno)
NUMBER(libssh2_session_last_error)
NUMBER(libssh2_session_method_pref)
NOTHING(libssh2_session_set_blocking)
NUMBER(libssh2_sftp_close_handle)
POINTER(libssh2_sftp_init)
NUMBER(libssh2_sftp_last_error)
NUMBER(libssh2_sftp_mkdir_ex)
POINTER(libssh2_sftp_open_ex)
NUMBER(libssh2_sftp_read)
NUMBER(libssh2_sftp_readdir_ex)
NUMBER(libssh2_sftp_rename_ex)
NUMBER(libssh2_sftp_rmdir_ex)
NOTHING(libssh2_sftp_seek64)
NUMBER(libssh2_sftp_shutdown)
NUMBER(libssh2_sftp_stat_ex)
NUMBER(libssh2_sftp_statvfs)
NUMBER(libssh2_sftp_symlink_ex)
NUMBER(libssh2_sftp_unlink_ex)
NUMBER(libssh2_sftp_write)
FAILS_WITH(int, 0, libssh2_userauth_authenticated)
NUMBER(libssh2_userauth_keyboard_interactive_ex)
POINTER(libssh2_userauth_list)
NUMBER(libssh2_userauth_password_ex)
NUMBER(libssh2_userauth_publickey_fromfile_ex)
