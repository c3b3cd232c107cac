/* Tickets keep the promises of ticket.h. */
#include "ticket.h"

#include "test.h"

#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct err e;

static void there_and_back(void)
{
	static const struct ticket tickets[] = {
		{ "https://10.0.0.7:41234", TOKEN, KEY, "slurm" },
		{ "https://[::1]:1", TOKEN, KEY, "p" },
		{ "unix:/run/x/sock", TOKEN, "", "container" },
	};

	for (size_t i = 0; i < sizeof tickets / sizeof *tickets; i++) {
		struct buf text = { 0 }, again = { 0 };
		struct ticket t;

		ticket_write(&tickets[i], &text);
		MUST(ticket_read(buf_bytes(&text), &t, &e), e);
		CHECK(memcmp(&t, &tickets[i], sizeof t) == 0);
		ticket_write(&t, &again);
		CHECK(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
		/* Every shorter one is refused. */
		for (size_t n = 0; n < text.n; n++)
			CHECK(ticket_read((struct bytes){ text.p, n }, &t, &e) < 0 &&
			      e.code == ERR_BAD);
		buf_release(&text);
		buf_release(&again);
	}
}

static void refused(void)
{
	static const char *const texts[] = {
		"gg-ticket 2\nurl unix:/s\ntoken " TOKEN "\npool p\n",
		"gg-ticket 1\nurl unix:s\ntoken " TOKEN "\npool p\n",
		"gg-ticket 1\nurl unix:/s\ntoken " TOKEN "\nkey " KEY "\npool p\n",
		"gg-ticket 1\nurl http://h:1\ntoken " TOKEN "\nkey " KEY "\npool p\n",
		"gg-ticket 1\nurl https://h:1\ntoken " TOKEN "\npool p\n",
		"gg-ticket 1\nurl https://h:1/x\ntoken " TOKEN "\nkey " KEY "\npool p\n",
		"gg-ticket 1\nurl https://u@h:1\ntoken " TOKEN "\nkey " KEY "\npool p\n",
		"gg-ticket 1\nurl https://h:1\ntoken 0" TOKEN "\nkey " KEY "\npool p\n",
		"gg-ticket 1\nurl https://h:1\ntoken abc\nkey " KEY "\npool p\n",
		"gg-ticket 1\nurl https://h:1\ntoken " TOKEN "\nkey md5//x\npool p\n",
		"gg-ticket 1\ntoken " TOKEN "\nurl unix:/s\npool p\n",
		"gg-ticket 1\nurl unix:/s\ntoken " TOKEN "\npool p\nmore\n",
		"gg-ticket 1\nurl unix:/s\ntoken " TOKEN "\npool p q\n",
		"gg-ticket 1\nurl unix:/s\r\ntoken " TOKEN "\npool p\n",
		"gg-ticket 1\nurl  unix:/s\ntoken " TOKEN "\npool p\n",
	};
	struct ticket t = { .url = "left alone" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		CHECK(ticket_read(bytes_str(texts[i]), &t, &e) < 0 && e.code == ERR_BAD);
		CHECK(!strstr(e.text, "001122"));
	}
	CHECK_STR(t.url, "left alone");
}

static void tokens(void)
{
	char a[65], b[65];

	MUST(ticket_token(a, &e), e);
	MUST(ticket_token(b, &e), e);
	CHECK(strlen(a) == 64 && strspn(a, "0123456789abcdef") == 64);
	CHECK(strcmp(a, b) != 0);
}

int main(void)
{
	static const struct test tests[] = {
		{ "a ticket read back is the ticket written, and none is cut short",
		  there_and_back },
		{ "every other spelling is refused, without a word of the token", refused },
		{ "each token is another", tokens },
		{ 0 }
	};

	return test_main(tests);
}
