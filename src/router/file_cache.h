/*
 * file_cache.h - static files that were opened before: small ones in memory, others by descriptor.
 *
 * An entry is used only after one statx(2) has shown the very state it was loaded in, so a changed
 * file is never served stale.  Files that changed within the last two seconds are not kept: a
 * second change within the resolution of their time stamps could not be seen.
 */
#ifndef ROUTER_FILE_CACHE_H
#define ROUTER_FILE_CACHE_H

#include <time.h>

#include "base/list.h"
#include "base/map.h"
#include "router/share_open.h"

#define FILE_SMALL_BYTES (16 * 1024) /* up to here a file is read into memory */

struct file {
    struct list lru; /* on no list: not in a cache (any more) */
    struct slice path;
    struct slice etag;
    struct slice modified; /* Last-Modified */
    struct slice type;     /* Content-Type, empty when unknown; as long as the cache's generation */
    struct file_state state;
    const char *bytes; /* all of a small file, or NULL */
    int fd;            /* of a large one, or -1 */
    unsigned refs;
    char etag_text[48];
    char modified_text[32];
};

struct file_cache {
    struct map map;
    struct list lru; /* most recently used first */
    size_t bytes;
    unsigned n_files;
    unsigned n_fds;
    size_t limit_bytes;
    unsigned limit_files;
    unsigned limit_fds;
};

void file_cache_init(struct file_cache *c);
void file_cache_done(struct file_cache *c);

/* The entry of that path (NUL-terminated), still true; a reference is yours.  NULL: not here. */
struct file *file_cache_get(struct file_cache *c, struct slice path);

/*
 * file_load - make a file of what share_open gave; fd is taken.  One reference is yours.
 * 0, or -errno of reading it.
 */
int file_load(struct slice path, int fd, const struct file_state *state, struct slice type,
              struct file **ret);
/* Keep it, unless it changed too recently (now: wall clock) or is larger than the cache. */
void file_cache_put(struct file_cache *c, struct file *f, time_t now);

void file_unref(struct file *f);

#endif
