/*
 * fuzz_wire_request.c - any bytes as a request record in a slot.
 *
 * What the reader accepts lies inside the record, each part and each field of it.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "nest/wire.h"

static void
must_lie_inside(struct slice s, const char *p, size_t n)
{
    if (s.p < p || s.p > p + n || s.n > (size_t)(p + n - s.p))
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    struct wire_request r;
    struct slice name, value;
    unsigned id;

    if (n > UINT32_MAX || wire_request_read(p, (uint32_t)n, &r) < 0)
        return 0;
    must_lie_inside(r.body, p, n);
    for (unsigned i = 0; i < WIRE_TEXTS; i++)
        must_lie_inside(r.text[i], p, n);
    for (unsigned i = 0; i < r.n_fields; i++) {
        if (wire_request_field_read(&r, i, &id, &name, &value) < 0)
            continue;
        must_lie_inside(value, p, n);
        if (id == NAME_NONE)
            must_lie_inside(name, p, n);
        else if (id >= NAMES || !slice_eq(name, field_names[id]))
            abort();
    }
    if (wire_request_field_read(&r, r.n_fields, &id, &name, &value) == 0)
        abort();
    return 0;
}
