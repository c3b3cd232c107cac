/* treatment.c - what becomes of which path of the system in a closure
 *
 * A closure is to be the same on two machines with the same packages, hold
 * nothing about a person, and lack nothing that shapes an output.  Where these
 * pull apart, this table says what was chosen; the first row that fits counts,
 * and what none fits is kept.  In a pattern, * stands for bytes other than a
 * slash and ** for any.
 *
 * A link is judged by where it lies, not by where it leads.  The links of
 * /etc/alternatives are the choice among packages: those that were used are
 * part of a closure.
 */
#include <string.h>
#include "closure_private.h"

struct row {
	const char *pattern;
	enum treat treat;
	const char *why;
};

static const struct row rows[] = {
	{ "/proc/**", TREAT_LEAVE, "what the kernel says of now" },
	{ "/sys/**", TREAT_LEAVE, "the same" },
	{ "/dev/**", TREAT_LEAVE, "devices; a cell has the usual ones" },
	{ "/run/**", TREAT_LEAVE, "what runs now" },
	{ "/var/run/**", TREAT_LEAVE, "the same" },
	{ "/var/lock/**", TREAT_LEAVE, "the same" },
	{ "/tmp/.**", TREAT_LEAVE, "sockets and locks of this machine" },
	{ "/tmp/**", TREAT_STRAY, "a temporary file" },
	{ "/var/tmp/**", TREAT_STRAY, "a temporary file" },

	/* Made from other files, on each machine at another time. */
	{ "**/__pycache__", TREAT_LEAVE, "made from the .py files beside it" },
	{ "**/__pycache__/**", TREAT_LEAVE, "the same; a .pyc elsewhere has no other source" },
	{ "/etc/ld.so.cache", TREAT_LEAVE, "an index of all libraries; see loader_cache.c" },
	{ "/etc/ld.so.conf", TREAT_LEAVE, "read only to make that" },
	{ "/etc/ld.so.conf.d/**", TREAT_LEAVE, "the same" },
	{ "/usr/lib/locale/locale-archive", TREAT_LEAVE,
	  "the locales chosen here; a cell's is C.UTF-8, which is a package's" },
	{ "**/gconv-modules.cache", TREAT_LEAVE, "made from gconv-modules" },
	{ "**/giomodule.cache", TREAT_LEAVE, "made from the modules beside it" },
	{ "**/loaders.cache", TREAT_LEAVE, "the same" },
	{ "**/immodules.cache", TREAT_LEAVE, "the same" },
	{ "**/icon-theme.cache", TREAT_LEAVE, "made from the icons" },
	{ "/usr/share/mime/**.cache", TREAT_LEAVE, "made from the packages' files" },
	{ "/var/cache/**", TREAT_LEAVE, "a cache" },
	{ "/var/lib/dpkg/**", TREAT_LEAVE, "what is installed; versions show in the files" },
	{ "/var/lib/apt/**", TREAT_LEAVE, "what could be installed" },
	{ "/var/log/**", TREAT_LEAVE, "what happened here" },
	{ "/var/spool/**", TREAT_LEAVE, "what waits here" },
	{ "/var/mail/**", TREAT_LEAVE, "personal" },
	{ "/var/backups/**", TREAT_LEAVE, "copies of this machine's settings" },

	/* Who, where, and with whom: programs see fixed ones. */
	{ "/etc/passwd", TREAT_FIXED, "users" },
	{ "/etc/group", TREAT_FIXED, "users" },
	{ "/etc/hosts", TREAT_FIXED, "the network here" },
	{ "/etc/hostname", TREAT_FIXED, "the machine's name" },
	{ "/etc/resolv.conf", TREAT_FIXED, "the network here" },
	{ "/etc/nsswitch.conf", TREAT_FIXED, "where users come from" },
	{ "/etc/host.conf", TREAT_FIXED, "the network here" },
	{ "/etc/gai.conf", TREAT_LEAVE, "the network here" },
	{ "/etc/passwd-", TREAT_LEAVE, "users" },
	{ "/etc/group-", TREAT_LEAVE, "users" },
	{ "/etc/shadow*", TREAT_LEAVE, "secrets" },
	{ "/etc/gshadow*", TREAT_LEAVE, "secrets" },
	{ "/etc/subuid*", TREAT_LEAVE, "users" },
	{ "/etc/subgid*", TREAT_LEAVE, "users" },
	{ "/etc/sudoers**", TREAT_LEAVE, "users" },
	{ "/etc/machine-id", TREAT_LEAVE, "the machine's name" },
	{ "/var/lib/dbus/**", TREAT_LEAVE, "the machine's name" },
	{ "/etc/localtime", TREAT_LEAVE, "where the machine is; a cell's time zone is UTC" },
	{ "/etc/timezone", TREAT_LEAVE, "the same" },
	{ "/etc/adjtime", TREAT_LEAVE, "this machine's clock" },
	{ "/etc/mtab", TREAT_LEAVE, "this machine's disks" },
	{ "/etc/fstab", TREAT_LEAVE, "this machine's disks" },
	{ "/etc/default/locale", TREAT_LEAVE, "a person's language" },
	{ "/etc/environment", TREAT_LEAVE, "read at login only" },
	{ "/etc/pam.*/**", TREAT_LEAVE, "who may log in" },
	{ "/etc/security/**", TREAT_LEAVE, "who may log in" },
	{ "/etc/ssh/**", TREAT_LEAVE, "secrets" },
	{ "/etc/krb5*", TREAT_LEAVE, "secrets" },
	{ "/etc/ssl/private/**", TREAT_LEAVE, "secrets" },
	{ "/etc/ssl/certs/**", TREAT_LEAVE, "whom this machine trusts; for the network only" },
	{ "/etc/pki/**", TREAT_LEAVE, "the same" },
	{ "/usr/local/share/ca-certificates/**", TREAT_LEAVE, "the same" },

	/* Programs that a person installed at home are kept where they lie,
	 * for programs see that path; all else there is a person's. */
	{ "/home/*/.local/lib/**", TREAT_KEEP, "modules of pip install --user" },
	{ "/root/.local/lib/**", TREAT_KEEP, "the same" },
	{ "/home/*/.local/bin/**", TREAT_KEEP, "their programs" },
	{ "/root/.local/bin/**", TREAT_KEEP, "the same" },
	{ "/home/*/.local/share/uv/python/**", TREAT_KEEP, "an interpreter" },
	{ "/root/.local/share/uv/python/**", TREAT_KEEP, "the same" },
	{ "/home/*/.pyenv/versions/**", TREAT_KEEP, "an interpreter" },
	{ "/root/.pyenv/versions/**", TREAT_KEEP, "the same" },
	{ "/home/*/.**", TREAT_LEAVE, "personal settings, keys and caches" },
	{ "/root/.**", TREAT_LEAVE, "the same" },
	{ "/home/**/bin/**", TREAT_KEEP, "an environment of programs" },
	{ "/home/**/lib/**", TREAT_KEEP, "the same" },
	{ "/home/**/libexec/**", TREAT_KEEP, "the same" },
	{ "/home/**/pyvenv.cfg", TREAT_KEEP, "the same" },
	{ "/root/**/bin/**", TREAT_KEEP, "the same" },
	{ "/root/**/lib/**", TREAT_KEEP, "the same" },
	{ "/root/**/libexec/**", TREAT_KEEP, "the same" },
	{ "/root/**/pyvenv.cfg", TREAT_KEEP, "the same" },
	{ "/home/**", TREAT_STRAY, "a personal file" },
	{ "/root/**", TREAT_STRAY, "a personal file" },

	/* Belongs to the kernel that runs, and is put there when it does. */
	{ "**/libcuda.so*", TREAT_LEAVE, "a GPU's driver" },
	{ "**/libcudadebugger.so*", TREAT_LEAVE, "the same" },
	{ "**/libnvidia-*", TREAT_LEAVE, "the same" },
	{ "**/libnvcuvid.so*", TREAT_LEAVE, "the same" },
	{ "**/libnvoptix.so*", TREAT_LEAVE, "the same" },
	{ "**/libGLX_nvidia.so*", TREAT_LEAVE, "the same" },
	{ "**/libEGL_nvidia.so*", TREAT_LEAVE, "the same" },
	{ "/usr/lib/*/nvidia/**", TREAT_LEAVE, "the same" },
	{ "/usr/lib/nvidia/**", TREAT_LEAVE, "the same" },
	{ "/usr/lib64/nvidia/**", TREAT_LEAVE, "the same" },
	{ "/usr/share/nvidia/**", TREAT_LEAVE, "the same" },
	{ "/usr/bin/nvidia-*", TREAT_LEAVE, "the same" },
	{ "/lib/modules/**", TREAT_LEAVE, "the kernel's" },
	{ "/usr/lib/modules/**", TREAT_LEAVE, "the same" },
	{ "/lib/firmware/**", TREAT_LEAVE, "the same" },
	{ "/usr/lib/firmware/**", TREAT_LEAVE, "the same" },
	{ "/boot/**", TREAT_LEAVE, "the same" },

	{ "**.dist-info/direct_url.json", TREAT_LEAVE, "a place on a person's disk" },
	{ "**/easy-install.pth", TREAT_NAMED, "likewise; only where it was read" },

	/* What is installed: listing it is not using all of it. */
	{ "**/*.dist-info/**", TREAT_ABOUT, "what pip says of a package" },
	{ "**/*.egg-info/**", TREAT_ABOUT, "the same" },
	{ "**/*.egg-info", TREAT_ABOUT, "the same" },

	/* For people, or set by them: only what was really read. */
	{ "/etc/**", TREAT_NAMED, "settings of this machine" },
	{ "/var/**", TREAT_NAMED, "state of this machine" },
	{ "/usr/share/doc/**", TREAT_NAMED, "for people" },
	{ "/usr/share/doc-base/**", TREAT_NAMED, "the same" },
	{ "/usr/share/man/**", TREAT_NAMED, "the same" },
	{ "/usr/share/info/**", TREAT_NAMED, "the same" },
	{ "/usr/share/help/**", TREAT_NAMED, "the same" },
	{ "/usr/share/gtk-doc/**", TREAT_NAMED, "the same" },
	{ "/usr/share/locale/**", TREAT_NAMED, "translations; a cell speaks C" },
	{ "/usr/share/lintian/**", TREAT_NAMED, "for those who make packages" },
	{ "/usr/share/bug/**", TREAT_NAMED, "the same" },
	{ "/usr/share/reportbug/**", TREAT_NAMED, "the same" },
	{ "/usr/share/bash-completion/**", TREAT_NAMED, "for a shell that a person types in" },
	{ "/usr/share/zsh/vendor-completions/**", TREAT_NAMED, "the same" },
	{ "/usr/share/fish/vendor_completions.d/**", TREAT_NAMED, "the same" },
	{ "/usr/share/applications/**", TREAT_NAMED, "for a desktop" },
	{ "/usr/share/pixmaps/**", TREAT_NAMED, "the same" },
	{ "/usr/share/icons/**", TREAT_NAMED, "the same" },
	{ "/usr/share/metainfo/**", TREAT_NAMED, "the same" },
	{ "/lib/systemd/**", TREAT_NAMED, "for a machine that starts" },
	{ "/usr/lib/systemd/**", TREAT_NAMED, "the same" },
	{ "/lib/udev/**", TREAT_NAMED, "the same" },
	{ "/usr/lib/udev/**", TREAT_NAMED, "the same" },
};

const struct closure_fixed closure_fixed[] = {
	{ "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
			 "gg:x:1000:1000:gg:/tmp:/bin/sh\n"
			 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ "/etc/group", "root:x:0:\ngg:x:1000:\nnogroup:x:65534:\n" },
	{ "/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n" },
	{ "/etc/hostname", "localhost\n" },
	{ "/etc/host.conf", "multi on\n" },
	{ "/etc/resolv.conf", "" },
	{ "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n" },
	{ 0 }
};

bool treatment_match(const char *pattern, const char *path)
{
	for (; *pattern; pattern++, path++) {
		if (*pattern == '*') {
			bool is_deep = pattern[1] == '*';
			const char *rest = pattern + 1 + is_deep;

			if (!*rest && is_deep)
				return true;
			for (;; path++) {
				if ((!*rest || *path == *rest || *rest == '*') &&
				    treatment_match(rest, path))
					return true;
				if (!*path || (*path == '/' && !is_deep))
					return false;
			}
		}
		if (*pattern != *path)
			return false;
	}
	return !*path;
}

/* "The same" is said of the row above. */
static const char *why_row(size_t i)
{
	while (i && strncmp(rows[i].why, "the same", 8) == 0)
		i--;
	return rows[i].why;
}

static uint64_t bit_of(char c)
{
	return UINT64_C(1) << (c & 63);
}

/* With which bytes parts of a path begin, as bits: nearly every path fits no
 * row, and thousands are asked for. */
static uint64_t begins_of(const char *path)
{
	uint64_t bits = 0;

	for (; *path; path++)
		if (*path == '/')
			bits |= bit_of(path[1]);
	return bits;
}

/* Might a pattern fit?  That costs less than to see whether it does. */
static bool may_fit(const char *pattern, const char *path, uint64_t begins)
{
	size_t n;

	if (*pattern != '*')
		return pattern[0] == path[0] && (pattern[1] == path[1] || pattern[1] == '*');
	if (pattern[1] == '*' && pattern[2] == '/' && pattern[3] != '*' &&
	    !(begins & bit_of(pattern[3])))
		return false;
	pattern += strspn(pattern, "*/");
	n = strcspn(pattern, "*/");
	return memmem(path, strlen(path), pattern, n) != NULL;
}

enum treat treatment_why(const char *path, const char **why)
{
	uint64_t begins = begins_of(path);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (may_fit(rows[i].pattern, path, begins) &&
		    treatment_match(rows[i].pattern, path)) {
			*why = why_row(i);
			return rows[i].treat;
		}
	return TREAT_KEEP;
}

const char *closure_stray(const char *path)
{
	const char *why;

	return treatment_why(path, &why) == TREAT_STRAY ? why : NULL;
}

bool treatment_is_out(const char *path)
{
	enum treat t = treatment_of(path);

	return t == TREAT_LEAVE || t == TREAT_STRAY || t == TREAT_FIXED;
}

enum treat treatment_of(const char *path)
{
	const char *ignored;

	return treatment_why(path, &ignored);
}
