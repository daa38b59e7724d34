/*
 * arena.c - chunks, the process-wide list of free ones, and the copies made in an arena.
 *
 *   arena.chunks -> [ chunk | used ...... at   end ] -> [ chunk | used up ] -> [ big chunk ] ->
 * NULL
 *
 * A chunk is 4 KiB; what is too long for one gets a chunk of its own behind the newest, so that
 * the rest of the newest is not lost.  The free list is bounded, and guarded by a flag that nobody
 * waits for: who finds it taken goes to malloc.  So a fork at any moment cannot leave it locked
 * against the child for more than a slower allocation.
 */
#include "base/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define CHUNK_SIZE 4096
#define FREE_MAX   256 /* chunks kept: 1 MiB */
#define ALIGN      16

struct arena_chunk {
    struct arena_chunk *next;
    size_t room; /* bytes after this struct, a multiple of ALIGN */
    char bytes[] br_aligned(ALIGN);
};

struct arena_hook {
    struct arena_hook *next;
    void (*fn)(void *arg);
    void *arg;
};

#define CHUNK_ROOM (CHUNK_SIZE - sizeof(struct arena_chunk))
#define BIG_FROM   (CHUNK_ROOM / 4) /* longer ones do not cut a chunk short */

static struct {
    struct arena_chunk *first;
    unsigned n;
    bool taken;
} spare;

static bool
spare_take(void)
{
    return !__atomic_test_and_set(&spare.taken, __ATOMIC_ACQUIRE);
}

static void
spare_leave(void)
{
    __atomic_clear(&spare.taken, __ATOMIC_RELEASE);
}

static struct arena_chunk *
chunk_new(size_t room)
{
    struct arena_chunk *c = NULL;

    if (room == CHUNK_ROOM && spare_take()) {
        c = spare.first;
        if (c != NULL) {
            spare.first = c->next;
            spare.n--;
        }
        spare_leave();
    }
    if (c != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(c->bytes, c->room);
        return c;
    }
    c = malloc(sizeof(*c) + room);
    if (c != NULL)
        c->room = room;
    return c;
}

static void
chunks_free(struct arena_chunk *c)
{
    bool may_keep = spare_take();

    for (struct arena_chunk *next; c != NULL; c = next) {
        next = c->next;
        if (!may_keep || c->room != CHUNK_ROOM || spare.n == FREE_MAX) {
            free(c);
            continue;
        }
        ASAN_POISON_MEMORY_REGION(c->bytes, c->room);
        c->next = spare.first;
        spare.first = c;
        spare.n++;
    }
    if (may_keep)
        spare_leave();
}

void
arena_init(struct arena *a, size_t cap)
{
    *a = (struct arena){.cap = cap};
}

void
arena_done(struct arena *a)
{
    /* A hook may still allocate, and may add a hook. */
    for (struct arena_hook *h; (h = a->hooks) != NULL;) {
        a->hooks = h->next;
        h->fn(h->arg);
    }
    if (a->chunks != NULL)
        chunks_free(a->chunks);
    arena_init(a, a->cap);
}

/* Bytes that the cap still allows, a multiple of ALIGN. */
static size_t
budget(const struct arena *a)
{
    if (a->cap == 0 || a->cap > SIZE_MAX - ALIGN)
        return SIZE_MAX & ~(size_t)(ALIGN - 1);
    return ((a->cap + ALIGN - 1) & ~(size_t)(ALIGN - 1)) - a->used;
}

static void *
no_memory(const struct arena *a)
{
    if (a->cap == 0)
        abort();
    return NULL;
}

/* A chunk of its own, second in the list: the newest stays the one with free space. */
static void *
alloc_big(struct arena *a, size_t n)
{
    struct arena_chunk *c = chunk_new(n);

    if (c == NULL)
        return no_memory(a);
    if (a->chunks == NULL) {
        c->next = NULL;
        a->chunks = c;
        a->at = a->end = c->bytes + n;
    } else {
        c->next = a->chunks->next;
        a->chunks->next = c;
    }
    a->used += n;
    if ((size_t)(a->end - a->at) > budget(a))
        a->end = a->at + budget(a);
    return c->bytes;
}

void *
arena_alloc_slow(struct arena *a, size_t n)
{
    struct arena_chunk *c;

    if (n == 0)
        n = 1;
    if (n > budget(a) || n > SIZE_MAX / 2)
        return no_memory(a);
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (n <= (size_t)(a->end - a->at))
        return arena_alloc(a, n);
    if (n > BIG_FROM)
        return alloc_big(a, n);

    c = chunk_new(CHUNK_ROOM);
    if (c == NULL)
        return no_memory(a);
    c->next = a->chunks;
    a->chunks = c;
    a->at = c->bytes;
    a->end = c->bytes + br_min(CHUNK_ROOM, budget(a));
    return arena_alloc(a, n);
}

void *
arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);

    return p != NULL ? memset(p, 0, n) : NULL;
}

struct slice
arena_dup(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.n);

    if (p == NULL)
        return SLICE_NONE;
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    return slice_make(p, s.n);
}

char *
arena_cstr(struct arena *a, struct slice s)
{
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;

    if (p == NULL)
        return NULL;
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    char *p;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return NULL;

    p = arena_alloc(a, (size_t)n + 1);
    if (p == NULL)
        return NULL;
    va_start(args, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return p;
}

int
arena_on_done(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct arena_hook *h = arena_alloc(a, sizeof(*h));

    if (h == NULL)
        return -ENOMEM;
    *h = (struct arena_hook){.next = a->hooks, .fn = fn, .arg = arg};
    a->hooks = h;
    return 0;
}
