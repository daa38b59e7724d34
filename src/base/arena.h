/*
 * arena.h - one lifetime: bump allocation under a cap, everything freed at once.
 *
 * Chunks come from a process-wide free list, so that an arena which dies with its request costs
 * no malloc.  Hooks run in reverse order of registration.  An arena struct is embedded by its
 * owner and holds no memory until the first allocation.  One arena belongs to one thread at a
 * time; the free list behind them may be used from several.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;
struct arena_hook;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    char *at;                   /* free space in the newest chunk */
    char *end;                  /* of that space: the chunk's end, or sooner where the cap is */
    struct arena_hook *hooks;
    size_t used;
    size_t cap; /* bytes that may be handed out, 0: no cap */
};

void arena_init(struct arena *a, size_t cap);
/* Runs the hooks and frees; the arena is as after arena_init. */
void arena_done(struct arena *a);

/* The part of arena_alloc that needs another chunk. */
void *arena_alloc_slow(struct arena *a, size_t n);

/*
 * arena_alloc - n bytes, aligned to 16, not cleared; never NULL for n = 0.
 *
 * Bytes are handed out in steps of 16, and the cap is taken up to the next 16.
 * NULL only when the cap would be passed (memory out aborts when cap is 0: amounts we choose).
 */
static inline void *
arena_alloc(struct arena *a, size_t n)
{
    char *p = a->at;

    /* What is left is a multiple of 16, so that n fits if and only if n rounded up does. */
    if (br_unlikely(n - 1 >= (size_t)(a->end - p)))
        return arena_alloc_slow(a, n);
    n = (n + 15) & ~(size_t)15;
    a->at = p + n;
    a->used += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n);
#define arena_new(a, type)        ((type *)arena_zalloc((a), sizeof(type)))
#define arena_array(a, type, num) ((type *)arena_zalloc((a), sizeof(type) * (num)))

/* Copies; the C string ends in NUL.  NULL as arena_alloc. */
struct slice arena_dup(struct arena *a, struct slice s);
char *arena_cstr(struct arena *a, struct slice s);
char *arena_printf(struct arena *a, const char *fmt, ...) br_printf(2, 3);

/* Run fn(arg) when the arena dies.  -ENOMEM when the cap would be passed. */
int arena_on_done(struct arena *a, void (*fn)(void *arg), void *arg);

#endif
