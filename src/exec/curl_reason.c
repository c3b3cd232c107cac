/* curl_reason.c - what libcurl's failures mean to people and to callers */
#include "curl.h"

static const struct curl_reason reasons[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_RETRY, "no such host is known" },
	{ CURLE_COULDNT_RESOLVE_PROXY, ERR_RETRY, "no such proxy is known" },
	{ CURLE_COULDNT_CONNECT, ERR_RETRY,
	  "nobody answers there: is the server running, and is this its port?" },
	{ CURLE_OPERATION_TIMEDOUT, ERR_RETRY, "too slow" },
	{ CURLE_GOT_NOTHING, ERR_RETRY, "the server closed the connection without an answer" },
	{ CURLE_PARTIAL_FILE, ERR_RETRY, "the connection was closed half way" },
	{ CURLE_RECV_ERROR, ERR_RETRY, "the connection broke" },
	{ CURLE_SEND_ERROR, ERR_RETRY, "the connection broke" },
	{ CURLE_HTTP2, ERR_RETRY, "the connection broke" },
	{ CURLE_HTTP2_STREAM, ERR_RETRY, "the connection broke" },
	{ CURLE_SSL_CONNECT_ERROR, ERR_RETRY,
	  "no TLS connection: does the server speak https on this port?" },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_REFUSED,
	  "the server's certificate is not trusted: if it is the right server, name the file "
	  "of who signed it in SSL_CERT_FILE" },
	{ CURLE_SSL_PINNEDPUBKEYNOTMATCH, ERR_REFUSED, "its key is not the one expected" },
	{ CURLE_SSL_CACERT_BADFILE, ERR_USAGE, "the file of authorities cannot be read" },
	{ CURLE_TOO_MANY_REDIRECTS, ERR_BAD, "sent from one place to another without end" },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_BAD, "neither http nor https, or no HTTP was spoken" },
	{ CURLE_WEIRD_SERVER_REPLY, ERR_BAD, "what answers does not speak HTTP" },
	{ CURLE_URL_MALFORMAT, ERR_USAGE, "the address is none" },
	{ CURLE_OK, ERR_RETRY, "the transfer failed" },
};

const struct curl_reason *curl_reason_of(CURLcode code)
{
	const struct curl_reason *r = reasons;

	while (r->curl != CURLE_OK && r->curl != code)
		r++;
	return r;
}
