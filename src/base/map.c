/*
 * map.c - open addressing over an array that keeps the order of insertion.
 *
 *   index:   [ 0 | 3 | 0 | 1 | 0 | 2 | 0 | 0 ]     entry number + 1, 0: free; twice as long as room
 *   entries: [ "a" | "b" (removed) | "c" | ]       removed: value is NULL, the place stays
 *
 * Removed places go when the array is full and is built anew.  The hash is SipHash-1-3
 * (Aumasson, Bernstein: SipHash, a fast short-input PRF) under a key that is random per process.
 */
#include "base/map.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define FIRST_ROOM 8 /* rooms are powers of two */

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void
make_seed(void)
{
    /* AT_RANDOM: 16 random bytes of this exec, for where a filter forbids getrandom. */
    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
        memcpy(seed, (const void *)getauxval(AT_RANDOM), sizeof(seed));
}

static uint64_t
rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* Host byte order: the value never leaves this process. */
static uint64_t
hash_of(struct slice key)
{
    uint64_t v[4] = {
        seed[0] ^ 0x736f6d6570736575,
        seed[1] ^ 0x646f72616e646f6d,
        seed[0] ^ 0x6c7967656e657261,
        seed[1] ^ 0x7465646279746573,
    };
    uint64_t word;
    size_t i = 0;

    for (; i + 8 <= key.n; i += 8) {
        memcpy(&word, key.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)key.n << 56;
    for (unsigned shift = 0; i < key.n; i++, shift += 8)
        word |= (uint64_t)(unsigned char)key.p[i] << shift;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int round = 0; round < 3; round++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
map_init(struct map *m)
{
    pthread_once(&seed_once, make_seed);
    *m = (struct map){0};
}

void
map_done(struct map *m)
{
    free(m->entries);
    free(m->index);
    *m = (struct map){0};
}

static struct map_entry *
find(const struct map *m, struct slice key, uint64_t hash)
{
    size_t mask = m->room * 2 - 1;

    if (m->n_live == 0)
        return NULL;
    for (size_t at = hash & mask; m->index[at] != 0; at = (at + 1) & mask) {
        struct map_entry *e = &m->entries[m->index[at] - 1];

        if (e->hash == hash && e->value != NULL && slice_eq(e->key, key))
            return e;
    }
    return NULL;
}

/* There is room: at most half of the index is in use. */
static void
place(struct map *m, const struct map_entry *e)
{
    size_t mask = m->room * 2 - 1;
    size_t at = e->hash & mask;

    while (m->index[at] != 0)
        at = (at + 1) & mask;
    m->entries[m->n_entries++] = *e;
    m->index[at] = (uint32_t)m->n_entries;
}

/* Room for the living and as many again, without the removed. */
static void
rebuild(struct map *m)
{
    struct map old = *m;

    *m = (struct map){.n_live = old.n_live, .room = FIRST_ROOM};
    while (m->room < m->n_live * 2)
        m->room *= 2;
    if (m->room > UINT32_MAX / 2)
        abort();
    m->entries = calloc(m->room, sizeof(*m->entries));
    m->index = calloc(m->room * 2, sizeof(*m->index));
    if (m->entries == NULL || m->index == NULL)
        abort();
    map_foreach (e, &old)
        place(m, e);
    map_done(&old);
}

static void
append(struct map *m, struct slice key, void *value, uint64_t hash)
{
    struct map_entry e = {.key = key, .value = value, .hash = hash};

    if (m->n_entries == m->room)
        rebuild(m);
    place(m, &e);
    m->n_live++;
}

int
map_add(struct map *m, struct slice key, void *value)
{
    uint64_t hash = hash_of(key);

    if (find(m, key, hash) != NULL)
        return -EEXIST;
    append(m, key, value, hash);
    return 0;
}

void *
map_set(struct map *m, struct slice key, void *value)
{
    uint64_t hash = hash_of(key);
    struct map_entry *e = find(m, key, hash);
    void *old;

    if (e == NULL) {
        append(m, key, value, hash);
        return NULL;
    }
    old = e->value;
    e->key = key; /* the old one may die with the old value */
    e->value = value;
    return old;
}

void *
map_get(const struct map *m, struct slice key)
{
    struct map_entry *e;

    if (m->n_live == 0)
        return NULL;
    e = find(m, key, hash_of(key));
    return e != NULL ? e->value : NULL;
}

void *
map_del(struct map *m, struct slice key)
{
    struct map_entry *e = find(m, key, hash_of(key));
    void *old;

    if (e == NULL)
        return NULL;
    old = e->value;
    e->value = NULL;
    e->key = SLICE_NONE;
    m->n_live--;
    return old;
}
