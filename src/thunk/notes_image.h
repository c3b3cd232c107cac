/* notes_image.h - the library of inside/notes_inside.c, as the Makefile made
 * it: the bytes of a shared object */
#ifndef GG_NOTES_IMAGE_H
#define GG_NOTES_IMAGE_H

#include <stddef.h>

extern const unsigned char notes_image[];
extern const size_t notes_image_size;

#endif
