/* curl_linked.c - libcurl as it is linked into gg-worker; stands for curl.c there */
#include "../curl.h"

#include <stdlib.h>

/* What is open is any address but NULL. */
int curl_api_open(struct curl_api *api, struct err *e)
{
	*api = (struct curl_api){
		.global_init = curl_global_init,
		.global_cleanup = curl_global_cleanup,
		.easy_init = curl_easy_init,
		.easy_cleanup = curl_easy_cleanup,
		.easy_reset = curl_easy_reset,
		.easy_setopt = curl_easy_setopt,
		.easy_getinfo = curl_easy_getinfo,
		.easy_strerror = curl_easy_strerror,
		.slist_append = curl_slist_append,
		.slist_free_all = curl_slist_free_all,
		.multi_init = curl_multi_init,
		.multi_cleanup = curl_multi_cleanup,
		.multi_setopt = curl_multi_setopt,
		.multi_add_handle = curl_multi_add_handle,
		.multi_remove_handle = curl_multi_remove_handle,
		.multi_socket_action = curl_multi_socket_action,
		.multi_assign = curl_multi_assign,
		.multi_info_read = curl_multi_info_read,
		.library = api,
	};
	if (api->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		return 0;
	api->library = NULL;
	return err_set(e, ERR_IO, "cannot talk HTTP: libcurl does not start");
}

void curl_api_close(struct curl_api *api)
{
	if (api->library)
		api->global_cleanup();
	*api = (struct curl_api){ .library = NULL };
}
