/*
 * fuzz_wire_response.c - any bytes as a response head in a chunk.
 *
 * A head that is accepted has as many fields as it says, all inside; written anew from what was
 * read it reads the same.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "nest/wire.h"

#define ROOM (64u * 1024)

static void
must(bool truth)
{
    if (!truth)
        abort();
}

/* Each field of p, which is copied to w. */
static void
walk(const char *p, size_t n, const struct wire_response_head *h, struct wire_writer *w)
{
    struct slice name, value;
    uint32_t at = 0;
    unsigned fields = 0;
    int rc;

    while ((rc = wire_response_next(p, h, &at, &name, &value)) == 1) {
        must(value.p >= p && value.p <= p + n && value.n <= (size_t)(p + n - value.p));
        wire_response_field(w, name, value);
        fields++;
    }
    must(rc == 0 && fields == h->n_fields);
}

static void
must_be_equal(const char *p, const struct wire_response_head *h, const char *q,
              const struct wire_response_head *g)
{
    struct slice name[2], value[2];
    uint32_t at[2] = {0, 0};

    must(h->status == g->status && h->n_fields == g->n_fields && h->body_length == g->body_length);
    while (wire_response_next(p, h, &at[0], &name[0], &value[0]) == 1) {
        must(wire_response_next(q, g, &at[1], &name[1], &value[1]) == 1);
        must(slice_eq(name[0], name[1]) && slice_eq(value[0], value[1]));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static char again[ROOM];
    const char *p = (const char *)data;
    struct wire_response_head h, g;
    struct wire_writer w;
    uint32_t again_n = 0;

    if (n > UINT32_MAX || wire_response_read(p, (uint32_t)n, &h) < 0)
        return 0;
    wire_response_begin(&w, again, ROOM, h.status);
    walk(p, n, &h, &w);
    if (wire_response_end(&w, h.body_length, &again_n) < 0)
        return 0;
    must(wire_response_read(again, again_n, &g) == 0);
    must_be_equal(p, &h, again, &g);
    return 0;
}
