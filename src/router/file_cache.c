/*
 * file_cache.c - least recently used files, each checked by one statx at every use.
 *
 *   get: map -> statx -> equal? -> to the front         put: front of the list -> evict at the back
 *                          no: drop
 *
 * Entries are counted references: an evicted one lives on until the last response has sent it.
 */
#include "router/file_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define LIMIT_BYTES (16 * 1024 * 1024)
#define LIMIT_FILES 2048
#define LIMIT_FDS   256
#define RACY_S      2

void
file_cache_init(struct file_cache *c)
{
    *c = (struct file_cache){
        .limit_bytes = LIMIT_BYTES, .limit_files = LIMIT_FILES, .limit_fds = LIMIT_FDS};
    map_init(&c->map);
    list_init(&c->lru);
}

static size_t
weight(const struct file *f)
{
    return sizeof(*f) + f->path.n + (f->bytes != NULL ? f->state.size : 0);
}

static void
drop(struct file_cache *c, struct file *f)
{
    map_del(&c->map, f->path);
    list_del(&f->lru);
    c->bytes -= weight(f);
    c->n_files--;
    c->n_fds -= f->fd >= 0;
    file_unref(f);
}

void
file_cache_done(struct file_cache *c)
{
    while (!list_empty(&c->lru))
        drop(c, list_entry(c->lru.prev, struct file, lru));
    map_done(&c->map);
}

struct file *
file_cache_get(struct file_cache *c, struct slice path)
{
    struct file *f = map_get(&c->map, path);
    struct file_state now;

    if (f == NULL)
        return NULL;
    if (share_state(path.p, &now) < 0 || !file_state_eq(&now, &f->state)) {
        drop(c, f);
        return NULL;
    }
    if (c->lru.next != &f->lru) {
        list_del(&f->lru);
        list_add(&c->lru, &f->lru);
    }
    f->refs++;
    return f;
}

void
file_cache_put(struct file_cache *c, struct file *f, time_t now)
{
    if (now - (time_t)f->state.ctime_s <= RACY_S || weight(f) > c->limit_bytes)
        return;
    if (map_add(&c->map, f->path, f) < 0)
        return;
    f->refs++;
    list_add(&c->lru, &f->lru);
    c->bytes += weight(f);
    c->n_files++;
    c->n_fds += f->fd >= 0;
    while (c->bytes > c->limit_bytes || c->n_files > c->limit_files || c->n_fds > c->limit_fds)
        drop(c, list_entry(c->lru.prev, struct file, lru));
}

/* Read it whole; -ESTALE when it has become shorter meanwhile. */
static int
read_small(int fd, char *to, size_t n)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = pread(fd, to + have, n - have, (off_t)have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -ESTALE;
        have += (size_t)got;
    }
    return 0;
}

static void
describe(struct file *f)
{
    int n = snprintf(f->etag_text, sizeof(f->etag_text), "\"%llx-%llx\"",
                     (unsigned long long)f->state.mtime_s, (unsigned long long)f->state.size);

    f->etag = slice_make(f->etag_text, (size_t)n);
    clock_http_format((time_t)f->state.mtime_s, f->modified_text);
    f->modified = slice_make(f->modified_text, CLOCK_HTTP_DATE_LEN);
}

int
file_load(struct slice path, int fd, const struct file_state *state, struct slice type,
          struct file **ret)
{
    size_t small = state->size <= FILE_SMALL_BYTES ? (size_t)state->size : 0;
    struct file *f = malloc(sizeof(*f) + path.n + 1 + small);
    char *text = (char *)(f + 1);
    int rc;

    if (f == NULL) {
        fd_close(&fd);
        return -ENOMEM;
    }
    *f = (struct file){.state = *state, .type = type, .fd = fd, .refs = 1};
    list_init(&f->lru);
    memcpy(text, path.p, path.n);
    text[path.n] = '\0';
    f->path = slice_make(text, path.n);
    describe(f);
    if (state->size <= FILE_SMALL_BYTES) {
        rc = read_small(fd, text + path.n + 1, small);
        fd_close(&f->fd);
        if (rc < 0) {
            file_unref(f);
            return rc;
        }
        f->bytes = text + path.n + 1;
    }
    *ret = f;
    return 0;
}

void
file_unref(struct file *f)
{
    if (--f->refs > 0)
        return;
    fd_close(&f->fd);
    free(f);
}
