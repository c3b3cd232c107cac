/* t_id.c - names are what sha256sum prints */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include "id.h"
#include "test.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* From FIPS 180-4's examples. */
static void known_answers(void)
{
	static const struct {
		const char *text, *hex;
	} known[] = {
		{ "", EMPTY },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		struct id id = id_of(bytes_str(known[i].text));

		CHECK_STR(id_hex(&id).s, known[i].hex);
	}
}

static void million(void)
{
	struct hash *h = hash_new();
	char piece[1000];
	struct id id;

	memset(piece, 'a', sizeof(piece));
	for (int i = 0; i < 1000; i++)
		hash_add(h, piece, sizeof(piece));
	id = hash_end(h);
	CHECK_STR(id_hex(&id).s,
		  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	id = hash_end(h);
	CHECK_STR(id_hex(&id).s, EMPTY);
	hash_add(h, "a", 1);
	hash_add(h, "", 0);
	hash_add(h, "bc", 2);
	id = hash_end(h);
	CHECK(id_equal(&id, &(struct id){ 0 }) == false);
	CHECK(strncmp(id_hex(&id).s, "ba7816bf", 8) == 0);
	hash_free(h);
	hash_free(NULL);
}

static void hex(void)
{
	static const char good[] = EMPTY;
	struct id id = { .b = { 1 } }, back;
	char bad[80];

	CHECK(id_parse((struct bytes){ good, 64 }, &back));
	CHECK_STR(id_hex(&back).s, good);
	CHECK(!id_parse((struct bytes){ good, 63 }, &id));
	CHECK(!id_parse((struct bytes){ good, 65 }, &id));
	CHECK(!id_parse((struct bytes){ NULL, 0 }, &id));
	for (int c = 0; c < 256; c++) {
		bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

		for (int at = 0; at < 64; at += 63) {
			memcpy(bad, good, sizeof(good));
			bad[at] = (char)c;
			CHECK(id_parse((struct bytes){ bad, 64 }, &back) == is_digit);
		}
	}
	CHECK(id.b[0] == 1 && !id_is_zero(&id));
	CHECK(id_is_zero(&(struct id){ 0 }));
	CHECK(id_key(&id).n == 32 && id_key(&id).p == (char *)id.b);
}

/* A file without a name, of what fn wrote into it. */
static int temp_file(void)
{
	char path[] = "/tmp/t_id.XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	unlink(path);
	return fd;
}

static void files(void)
{
	static char data[300000];
	int fd = temp_file();
	struct id id, want;
	struct err e;
	uint64_t n;

	MUST(id_of_fd(fd, &id, &n, &e), e);
	CHECK_STR(id_hex(&id).s, EMPTY);
	CHECK(n == 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 1000);
	CHECK(write(fd, data, sizeof(data)) == sizeof(data));
	CHECK(lseek(fd, 5, SEEK_SET) == 5);
	want = id_of((struct bytes){ data, sizeof(data) });
	MUST(id_of_fd(fd, &id, &n, &e), e);
	CHECK(id_equal(&id, &want) && n == sizeof(data));
	CHECK(lseek(fd, 0, SEEK_CUR) == 5);
	close(fd);
	CHECK(id_of_fd(fd, &id, &n, &e) < 0 && e.code == ERR_IO);
	fd = open("/", O_RDONLY | O_DIRECTORY);
	CHECK(id_of_fd(fd, &id, &n, &e) < 0 && e.code == ERR_IO);
	close(fd);
}

/* Files of /proc say they hold nothing, and do. */
static void proc_files(void)
{
	int fd = open("/proc/self/stat", O_RDONLY);
	struct id id;
	struct err e;
	uint64_t n;

	MUST(id_of_fd(fd, &id, &n, &e), e);
	CHECK(n > 0);
	close(fd);
}

/* Holes in front, between and at the end, of odd sizes. */
static void sparse_files(void)
{
	enum { SIZE = (9 << 20) + 123 };
	char *data = calloc(1, SIZE);
	int fd = temp_file();
	struct id id, want;
	struct err e;
	uint64_t n;

	memcpy(data + (3 << 20) + 17, "middle", 6);
	memcpy(data + (6 << 20) - 3, "across", 6);
	CHECK(ftruncate(fd, SIZE) == 0);
	CHECK(pwrite(fd, "middle", 6, (3 << 20) + 17) == 6);
	CHECK(pwrite(fd, "across", 6, (6 << 20) - 3) == 6);
	CHECK(lseek(fd, 11, SEEK_SET) == 11);
	want = id_of((struct bytes){ data, SIZE });
	MUST(id_of_fd(fd, &id, &n, &e), e);
	CHECK(id_equal(&id, &want) && n == SIZE);
	CHECK(lseek(fd, 0, SEEK_CUR) == 11);
	close(fd);
	free(data);
}

static void speed(void)
{
	char text[100] = { 0 };
	struct id id = { 0 };
	clock_t start = clock();

	for (int i = 0; i < 100000; i++) {
		memcpy(text, id.b, sizeof(id.b));
		id = id_of((struct bytes){ text, sizeof(text) });
	}
	printf("# naming 100 bytes: %.0f ns\n",
	       (double)(clock() - start) / CLOCKS_PER_SEC * 1e9 / 100000);
	CHECK(!id_is_zero(&id));
}

static const struct test tests[] = {
	{ "names are those that the standard prints", known_answers },
	{ "pieces give the name of the whole, again and again", million },
	{ "only 64 lower-case hex digits are a name", hex },
	{ "a file is named by all it holds, and its offset stays", files },
	{ "a file that lies about its size is named by what it holds", proc_files },
	{ "holes count as the zeros that they read as", sparse_files },
	{ "a hundred thousand short texts are named", speed },
	{ 0 }
};

int main(void)
{
	return test_main(tests);
}
