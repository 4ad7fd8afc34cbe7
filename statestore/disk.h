/* statestore/disk.h: directories: making, setting aside, removing. */
#ifndef LEAT__STATESTORE_DISK_H
#define LEAT__STATESTORE_DISK_H

#include <leat/base.h>

int leat__disk_make(const char *path, leat_error_t *err); /* with what leads to it */
/** Rename path to path.bad-<wall_ms>; older ones of that kind go, so that they cannot fill the
 * disk. */
int leat__disk_set_aside(const char *path, int64_t wall_ms, leat_error_t *err);
/**
 * Is there room for so many bytes where path is, or will be? RocksDB, as Debian builds it, aborts
 * the process when it goes on with a file after a failed write: so nothing is begun on a full disk.
 * @return 0 (also when nobody can say), or LEAT_ESTORE, to be tried again
 */
int leat__disk_room(const char *path, size_t bytes, leat_error_t *err);

#endif
