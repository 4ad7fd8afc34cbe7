/* base/files.h: files of the local disk. */
#ifndef LEAT__BASE_FILES_H
#define LEAT__BASE_FILES_H

#include <leat/base.h>

/** A file, or a folder with all that is in it; links are not followed. 0, or -1 with errno. */
LEAT_API int leat__remove_tree(const char *path);

#endif
