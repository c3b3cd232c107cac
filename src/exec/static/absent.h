/* absent.h - functions that Debian's archives refer to and gg-worker never calls:
 * each fails by its own convention */
#ifndef GG_ABSENT_H
#define GG_ABSENT_H

#define FAILS_WITH(type, value, name) \
	type name(void); \
	type name(void) \
	{ \
		return value; \
	}
#define NUMBER(name) FAILS_WITH(long, -1, name)
#define POINTER(name) FAILS_WITH(void *, NULL, name)
#define NOTHING(name) \
	void name(void); \
	void name(void) \
	{ \
	}

#endif
