/*
 * near.c - "did you mean": the one of several names that is nearest to a mistyped one.
 *
 * Near is one edit (a byte inserted, removed, changed, two neighbours swapped) in a name of three
 * to five bytes, two in a longer one, none in a shorter one: short names have many neighbours by
 * chance.  Of equally near ones the first that was offered wins.
 */
#include "conf/near.h"

#define NEAR_MOST 64 /* longer names are not compared for likeness */

/* Is the i-th and the byte before it in one what the j-th and the one before are, swapped? */
static bool
swapped(struct slice a, size_t i, struct slice b, size_t j)
{
    return i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1];
}

/* Edits from a to b ("optimal string alignment"): the last three rows of the matrix. */
static size_t
distance(struct slice a, struct slice b)
{
    size_t rows[3][NEAR_MOST + 1];

    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            row[j] = br_min(above[j], row[j - 1]) + 1;
            row[j] = br_min(row[j], above[j - 1] + (a.p[i - 1] != b.p[j - 1]));
            if (swapped(a, i, b, j))
                row[j] = br_min(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a.n % 3][b.n];
}

struct near
near_begin(struct slice wanted)
{
    return (struct near){
        .wanted = wanted,
        .best = SLICE_NONE,
        .least = wanted.n > NEAR_MOST ? 0 : 1 + br_min((size_t)2, wanted.n / 3),
    };
}

void
near_offer(struct near *near, struct slice name)
{
    size_t apart = name.n > near->wanted.n ? name.n - near->wanted.n : near->wanted.n - name.n;
    size_t d;

    if (apart >= near->least)
        return; /* so many edits at least */
    d = distance(name, near->wanted);
    if (d >= near->least)
        return;
    near->least = d;
    near->best = name;
}
