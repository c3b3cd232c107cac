/* path.c - clean paths, by their text alone
 *
 * Nothing here looks at a disk, so none of it knows of symlinks.
 */
#include <string.h>
#include "file.h"

enum { PATH_LIMIT = 4096 };

/* Append the parts of path to s, which stands for "/" while it is empty. */
static size_t add_parts(char *s, size_t n, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n && s[--n] != '/')
				;
		} else if (len && !(len == 1 && path[0] == '.')) {
			s[n++] = '/';
			memcpy(s + n, path, len);
			n += len;
		}
		path += len;
		path += *path == '/';
	}
	return n;
}

char *path_clean(struct arena *a, const char *cwd, const char *path)
{
	char *s = arena_alloc(a, strlen(cwd) + strlen(path) + 3);
	size_t n = 0;

	if (path[0] != '/')
		n = add_parts(s, n, cwd);
	n = add_parts(s, n, path);
	if (!n)
		s[n++] = '/';
	s[n] = 0;
	return s;
}

bool path_is_plain(const char *path)
{
	const char *p = path;

	for (;;) {
		const char *part = p;

		while (*p && *p != '/')
			p++;
		if (p == part || (p - part == 1 && part[0] == '.') ||
		    (p - part == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		if (!*p)
			return p - path < PATH_LIMIT;
		p++;
	}
}

bool path_is_below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	if (n == 1 && dir[0] == '/')
		return path[0] == '/';
	if (n == 1 && dir[0] == '.')
		return path[0] != '/';
	return strncmp(dir, path, n) == 0 && (path[n] == 0 || path[n] == '/');
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
