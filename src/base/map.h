/*
 * map.h - seeded hash map from a slice to a pointer.
 *
 * The seed is random per process (getrandom), so that names chosen by a stranger cannot be made
 * to collide.  Keys are not copied: they must live as long as their entry.  Iteration is in
 * order of insertion; removal keeps that order.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct map_entry {
    struct slice key;
    void *value; /* NULL: removed, skip */
    uint64_t hash;
};

struct map {
    struct map_entry *entries; /* in order of insertion */
    uint32_t *index;           /* hash -> entry + 1 */
    size_t n_entries;          /* used places in entries, removed ones included */
    size_t n_live;
    size_t room;
};

void map_init(struct map *m);
void map_done(struct map *m);

/* value is not NULL.  0, or -EEXIST (nothing changed). */
int map_add(struct map *m, struct slice key, void *value);
/* Add or replace; the old value or NULL. */
void *map_set(struct map *m, struct slice key, void *value);
void *map_get(const struct map *m, struct slice key);
/* Remove; the old value or NULL. */
void *map_del(struct map *m, struct slice key);

/* Past the last entry; of an empty map without arithmetic on NULL. */
static inline struct map_entry *
map_end(const struct map *m)
{
    return m->n_entries > 0 ? m->entries + m->n_entries : m->entries;
}

#define map_foreach(e, m)                                          \
    for (struct map_entry *e = (m)->entries; e != map_end(m); e++) \
        if (e->value != NULL)

#endif
