/* curl.h - what http.c uses of libcurl; curl.c
 *
 * Private to src/exec.  libcurl brings thirty libraries with it, which cost
 * each start of gg several milliseconds; few commands talk to a server.  So it
 * is opened when one does.
 */
#ifndef GG_CURL_H
#define GG_CURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include "base.h"

struct curl_api {
	CURLcode (*global_init)(long flags);
	void (*global_cleanup)(void);
	CURL *(*easy_init)(void);
	void (*easy_cleanup)(CURL *c);
	void (*easy_reset)(CURL *c);
	CURLcode (*easy_setopt)(CURL *c, CURLoption option, ...);
	CURLcode (*easy_getinfo)(CURL *c, CURLINFO info, ...);
	const char *(*easy_strerror)(CURLcode code);
	struct curl_slist *(*slist_append)(struct curl_slist *l, const char *s);
	void (*slist_free_all)(struct curl_slist *l);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_cleanup)(CURLM *m);
	CURLMcode (*multi_setopt)(CURLM *m, CURLMoption option, ...);
	CURLMcode (*multi_add_handle)(CURLM *m, CURL *c);
	CURLMcode (*multi_remove_handle)(CURLM *m, CURL *c);
	CURLMcode (*multi_socket_action)(CURLM *m, curl_socket_t s, int events,
					 int *n_running);
	CURLMcode (*multi_assign)(CURLM *m, curl_socket_t s, void *data);
	CURLMsg *(*multi_info_read)(CURLM *m, int *n_left);
	void *library;
	char *path;                     /* of the library's file */
};

/* ERR_MISSING if there is none, or an older one than 7.85. */
int curl_api_open(struct curl_api *api, struct err *e);
void curl_api_close(struct curl_api *api);

/* curl_reason.c: a failure in words, and what a caller can do about it. */
struct curl_reason {
	CURLcode curl;                  /* CURLE_OK: any other */
	enum err_code code;
	const char *text;
};
const struct curl_reason *curl_reason_of(CURLcode code);

#endif
