/*
 * nosync.c - the control: an LD_PRELOAD library that opens LMDB without its syncs.
 *
 * server/ may not contain these flags (tests/tidy.sh), and a test of durability that passes
 * without durability proves nothing. So this build of the database lies where the real one
 * syncs, everything else being equal, and test_powerloss must find that acknowledged operations
 * are lost.
 */
#include <lmdb.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) int
mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
    int (*real_open)(MDB_env *, const char *, unsigned, mdb_mode_t);
    void *found = dlsym(RTLD_NEXT, "mdb_env_open");

    if (found == NULL) {
        abort();
    }
    memcpy(&real_open, &found, sizeof found);
    return real_open(env, path, flags | MDB_NOSYNC | MDB_NOMETASYNC, mode);
}
