/*
 * names.c - field names to numbers by a perfect hash that is found when the program starts.
 *
 *   first 4 bytes, last 4 bytes, length --* multiplier, top bits--> places[] -> one comparison
 *
 * The multiplier is the first of a fixed sequence under which no two names share a place, so
 * that names.def may grow without anybody computing anything; the search takes microseconds.
 */
#include "base/names.h"

#include <stdlib.h>

const struct slice field_names[NAMES] = {
    [NAME_NONE] = {"", 0},
#define NAME(id, text) [NAME_##id] = {text, sizeof(text) - 1},
#include "base/names.def"
#undef NAME
};

#define PLACE_BITS 10
#define PLACES     (1U << PLACE_BITS)
#define TRIES      1000000

_Static_assert(NAMES <= 128, "more places are needed for a perfect hash to be found soon");

static uint8_t places[PLACES];
static uint64_t multiplier;
static size_t longest;

static uint32_t
load4(const char *p)
{
    uint32_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* Letters in one case.  Other bytes may be taken for each other: the comparison sorts it out. */
static inline unsigned
place_of(const char *p, size_t n)
{
    uint64_t ends;

    if (br_likely(n >= 4))
        ends = (uint64_t)load4(p) << 32 | load4(p + n - 4);
    else
        ends = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
               (unsigned char)p[n - 1];
    ends |= 0x2020202020202020;
    return (unsigned)((ends + n) * multiplier >> (64 - PLACE_BITS));
}

static bool
fill_places(void)
{
    memset(places, NAME_NONE, sizeof(places));
    for (unsigned i = NAME_NONE + 1; i < NAMES; i++) {
        unsigned place = place_of(field_names[i].p, field_names[i].n);

        if (places[place] != NAME_NONE)
            return false;
        places[place] = (uint8_t)i;
    }
    return true;
}

__attribute__((constructor)) static void
find_multiplier(void)
{
    for (unsigned i = 0; i < NAMES; i++)
        longest = br_max(longest, field_names[i].n);
    multiplier = 0x9e3779b97f4a7c15; /* 2^64 / golden ratio; then the generator of Knuth's MMIX */
    for (unsigned tries = 0; !fill_places(); tries++) {
        if (tries == TRIES)
            abort(); /* two names with the same ends and length: place_of has to look at more */
        multiplier = (multiplier * 6364136223846793005 + 1442695040888963407) | 1;
    }
}

/* name is in lower case already. */
static inline bool
same_name(const char *p, struct slice name)
{
    uint64_t ours, theirs;

    if (name.n < sizeof(ours)) {
        for (size_t i = 0; i < name.n; i++)
            if (ascii_lower(p[i]) != name.p[i])
                return false;
        return true;
    }
    /* Word by word; the last word ends with the name and may overlap the one before. */
    for (size_t i = 0;; i = br_min(i + sizeof(ours), name.n - sizeof(ours))) {
        memcpy(&ours, name.p + i, sizeof(ours));
        memcpy(&theirs, p + i, sizeof(theirs));
        if (ascii_lower8(theirs) != ours)
            return false;
        if (i == name.n - sizeof(ours))
            return true;
    }
}

enum field_name
field_name_find(const char *p, size_t n)
{
    unsigned id;

    if (br_unlikely(n - 1 >= longest))
        return NAME_NONE;
    id = places[place_of(p, n)];
    if (field_names[id].n != n || !same_name(p, field_names[id]))
        return NAME_NONE;
    return (enum field_name)id;
}
