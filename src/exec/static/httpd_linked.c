/* httpd_linked.c - libmicrohttpd as it is linked into gg-worker; stands for httpd.c */
#include "../httpd.h"

int httpd_api_open(struct httpd_api *api, struct err *e)
{
	(void)e;
	*api = (struct httpd_api){
		.start = MHD_start_daemon,
		.stop = MHD_stop_daemon,
		.run = MHD_run,
		.timeout = MHD_get_timeout,
		.daemon_info = MHD_get_daemon_info,
		.connection_info = MHD_get_connection_info,
		.suspend = MHD_suspend_connection,
		.resume = MHD_resume_connection,
		.header = MHD_lookup_connection_value,
		.answer = MHD_queue_response,
		.from_bytes = MHD_create_response_from_buffer,
		.from_file = MHD_create_response_from_fd_at_offset64,
		.add_header = MHD_add_response_header,
		.drop = MHD_destroy_response,
	};
	return 0;
}
