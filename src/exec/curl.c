/* curl.c - libcurl, opened when it is first needed */
#include "curl.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

enum { OLDEST = 0x075500 };             /* has CURLOPT_PROTOCOLS_STR */

static const struct symbol {
	const char *name;
	size_t at;                      /* in struct curl_api */
} symbols[] = {
	{ "curl_global_init", offsetof(struct curl_api, global_init) },
	{ "curl_global_cleanup", offsetof(struct curl_api, global_cleanup) },
	{ "curl_easy_init", offsetof(struct curl_api, easy_init) },
	{ "curl_easy_cleanup", offsetof(struct curl_api, easy_cleanup) },
	{ "curl_easy_reset", offsetof(struct curl_api, easy_reset) },
	{ "curl_easy_setopt", offsetof(struct curl_api, easy_setopt) },
	{ "curl_easy_getinfo", offsetof(struct curl_api, easy_getinfo) },
	{ "curl_easy_strerror", offsetof(struct curl_api, easy_strerror) },
	{ "curl_slist_append", offsetof(struct curl_api, slist_append) },
	{ "curl_slist_free_all", offsetof(struct curl_api, slist_free_all) },
	{ "curl_multi_init", offsetof(struct curl_api, multi_init) },
	{ "curl_multi_cleanup", offsetof(struct curl_api, multi_cleanup) },
	{ "curl_multi_setopt", offsetof(struct curl_api, multi_setopt) },
	{ "curl_multi_add_handle", offsetof(struct curl_api, multi_add_handle) },
	{ "curl_multi_remove_handle", offsetof(struct curl_api, multi_remove_handle) },
	{ "curl_multi_socket_action", offsetof(struct curl_api, multi_socket_action) },
	{ "curl_multi_assign", offsetof(struct curl_api, multi_assign) },
	{ "curl_multi_info_read", offsetof(struct curl_api, multi_info_read) },
};

static int find_symbols(struct curl_api *api, struct err *e)
{
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *p = dlsym(api->library, symbols[i].name);

		if (!p)
			return err_set(e, ERR_MISSING, LIBRARY " has no %s: a newer "
				       "libcurl is needed", symbols[i].name);
		memcpy((char *)api + symbols[i].at, &p, sizeof p);
	}
	return 0;
}

static int check_version(struct curl_api *api, struct err *e)
{
	curl_version_info_data *(*info)(CURLversion) = NULL;
	void *p = dlsym(api->library, "curl_version_info");

	memcpy(&info, &p, sizeof p);
	if (!info || info(CURLVERSION_NOW)->version_num < OLDEST)
		return err_set(e, ERR_MISSING, LIBRARY " is older than 7.85: a newer "
			       "libcurl is needed");
	return 0;
}

int curl_api_open(struct curl_api *api, struct err *e)
{
	struct link_map *map;

	*api = (struct curl_api){ .library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL) };
	if (!api->library)
		return err_set(e, ERR_MISSING, "cannot talk HTTP without libcurl (%s): "
			       "apt-get install libcurl4", dlerror());
	if (check_version(api, e) < 0 || find_symbols(api, e) < 0) {
		dlclose(api->library);
		api->library = NULL;
		return err_wrap(e, "cannot talk HTTP");
	}
	if (api->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_IO, "cannot talk HTTP: " LIBRARY " does not start");
	if (dlinfo(api->library, RTLD_DI_LINKMAP, &map) == 0)
		api->path = mem_str(map->l_name);
	return 0;
}

/* The library itself stays: OpenSSL below it does not like to be taken away. */
void curl_api_close(struct curl_api *api)
{
	if (api->library)
		api->global_cleanup();
	free(api->path);
	*api = (struct curl_api){ .library = NULL };
}
