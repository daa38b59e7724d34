/*
 * wire.c - request and response heads in compact binary form, as they lie in slots and chunks.
 *
 *   request:  [ fixed part: flags, texts, body | field 0 .. field n-1 | bytes ........ ]
 *                                 offsets from the start ---------------^
 *   response: [ struct wire_response_head | id, lengths, name, value | id, lengths, ... ]
 *
 * A request is written once and read many times by offsets, a response is read once from front
 * to back.  The writers never leave their room: what does not fit sets `overflow`, and the end
 * function says so.  The readers believe nothing: the fixed parts are copied before they are
 * looked at, and each offset and length is checked against the record's length.
 *
 * A response's field names are numbers only when the application spelt them in lower case, so
 * that its own spelling reaches the client.
 */
#include "nest/wire.h"

#include <assert.h>
#include <errno.h>

struct wire_span {
    uint32_t at;
    uint32_t n;
};

/* The fixed part of a request. */
struct wire_fixed {
    uint32_t n; /* of the whole record */
    uint32_t flags;
    uint64_t body_length;
    struct wire_span body;
    struct wire_span text[WIRE_TEXTS];
    uint32_t n_fields;
    uint32_t zero;
};

/* What precedes each field of a response. */
struct wire_lengths {
    uint16_t id;
    uint16_t name_n;
    uint32_t value_n;
};

static_assert(sizeof(struct wire_field) == 16, "fields of a request have one layout everywhere");
static_assert(sizeof(struct wire_lengths) == 8, "fields of a response have one layout everywhere");
static_assert(sizeof(struct wire_response_head) == 16, "response heads have one layout everywhere");

/* Reserve n bytes at the end: where they begin, or 0 (never a valid place) on overflow. */
static uint32_t
reserve(struct wire_writer *w, size_t n)
{
    uint32_t at = w->at;

    if (w->overflow || n > w->room - w->at) {
        w->overflow = true;
        return 0;
    }
    w->at += (uint32_t)n;
    return at;
}

static struct wire_span
append(struct wire_writer *w, struct slice s)
{
    struct wire_span span = {0, 0};

    if (s.n == 0)
        return span;
    span.at = reserve(w, s.n);
    if (span.at == 0)
        return span;
    span.n = (uint32_t)s.n;
    memcpy(w->p + span.at, s.p, s.n);
    return span;
}

static void
writer_init(struct wire_writer *w, char *p, uint32_t room, size_t fixed)
{
    *w = (struct wire_writer){.p = p, .room = room};
    if (fixed > room) {
        w->overflow = true;
        return;
    }
    memset(p, 0, fixed);
    w->at = (uint32_t)fixed;
}

/* --- requests: writing --- */

void
wire_request_begin(struct wire_writer *w, char *p, uint32_t room, unsigned n_fields)
{
    uint32_t n = n_fields;

    if (n_fields > UINT16_MAX) {
        *w = (struct wire_writer){.p = p, .overflow = true};
        return;
    }
    writer_init(w, p, room, sizeof(struct wire_fixed) + n_fields * sizeof(struct wire_field));
    if (!w->overflow)
        memcpy(p + offsetof(struct wire_fixed, n_fields), &n, sizeof(n));
}

void
wire_request_text(struct wire_writer *w, enum wire_text which, struct slice text)
{
    struct wire_span span = append(w, text);

    if (!w->overflow)
        memcpy(w->p + offsetof(struct wire_fixed, text) + which * sizeof(span), &span,
               sizeof(span));
}

static uint32_t
written_fields(const struct wire_writer *w)
{
    uint32_t n;

    memcpy(&n, w->p + offsetof(struct wire_fixed, n_fields), sizeof(n));
    return n;
}

void
wire_request_field(struct wire_writer *w, unsigned i, unsigned name_id, struct slice name,
                   struct slice value)
{
    struct wire_field field = {.name_id = (uint16_t)name_id};
    struct wire_span span;

    if (w->overflow || i >= written_fields(w) || name_id >= NAMES || name.n > UINT16_MAX) {
        w->overflow = true;
        return;
    }
    if (name_id == NAME_NONE) {
        span = append(w, name);
        field.name_at = span.at;
        field.name_n = (uint16_t)span.n;
    }
    span = append(w, value);
    field.value_at = span.at;
    field.value_n = span.n;
    if (!w->overflow)
        memcpy(w->p + sizeof(struct wire_fixed) + i * sizeof(field), &field, sizeof(field));
}

void
wire_request_flags(struct wire_writer *w, uint32_t flags, uint64_t body_length)
{
    if (w->overflow)
        return;
    memcpy(w->p + offsetof(struct wire_fixed, flags), &flags, sizeof(flags));
    memcpy(w->p + offsetof(struct wire_fixed, body_length), &body_length, sizeof(body_length));
}

char *
wire_request_body(struct wire_writer *w, uint32_t n)
{
    struct wire_span span = {.at = reserve(w, n), .n = n};

    if (w->overflow)
        return NULL;
    memcpy(w->p + offsetof(struct wire_fixed, body), &span, sizeof(span));
    return w->p + span.at;
}

int
wire_request_end(struct wire_writer *w, uint32_t *ret_n)
{
    if (w->overflow)
        return -EMSGSIZE;
    memcpy(w->p + offsetof(struct wire_fixed, n), &w->at, sizeof(w->at));
    *ret_n = w->at;
    return 0;
}

/* --- requests: reading --- */

static bool
span_read(const char *p, uint32_t n, struct wire_span span, struct slice *ret)
{
    if (span.at > n || span.n > n - span.at)
        return false;
    *ret = slice_make(p + span.at, span.n);
    return true;
}

int
wire_request_read(const char *p, uint32_t n, struct wire_request *ret)
{
    struct wire_fixed fixed;
    struct wire_request r;

    if (n < sizeof(fixed))
        return -EBADMSG;
    memcpy(&fixed, p, sizeof(fixed));
    if (fixed.n < sizeof(fixed) || fixed.n > n)
        return -EBADMSG;
    if (fixed.n_fields > (fixed.n - sizeof(fixed)) / sizeof(struct wire_field))
        return -EBADMSG;
    r = (struct wire_request){.flags = fixed.flags,
                              .body_length = fixed.body_length,
                              .n_fields = fixed.n_fields,
                              .base = p,
                              .n = fixed.n};
    r.fields = (const struct wire_field *)(const void *)(p + sizeof(fixed));
    if (!span_read(p, fixed.n, fixed.body, &r.body))
        return -EBADMSG;
    for (unsigned i = 0; i < WIRE_TEXTS; i++)
        if (!span_read(p, fixed.n, fixed.text[i], &r.text[i]))
            return -EBADMSG;
    *ret = r;
    return 0;
}

int
wire_request_field_read(const struct wire_request *r, unsigned i, unsigned *ret_name_id,
                        struct slice *ret_name, struct slice *ret_value)
{
    struct wire_field field;
    struct slice name, value;

    if (i >= r->n_fields)
        return -EBADMSG;
    memcpy(&field, r->base + sizeof(struct wire_fixed) + i * sizeof(field), sizeof(field));
    if (field.name_id >= NAMES)
        return -EBADMSG;
    if (field.name_id != NAME_NONE)
        name = field_names[field.name_id];
    else if (!span_read(r->base, r->n, (struct wire_span){field.name_at, field.name_n}, &name))
        return -EBADMSG;
    if (!span_read(r->base, r->n, (struct wire_span){field.value_at, field.value_n}, &value))
        return -EBADMSG;
    *ret_name_id = field.name_id;
    *ret_name = name;
    *ret_value = value;
    return 0;
}

/* --- responses --- */

void
wire_response_begin(struct wire_writer *w, char *p, uint32_t room, unsigned status)
{
    struct wire_response_head head = {.status = (uint16_t)status};

    writer_init(w, p, room, sizeof(head));
    if (!w->overflow)
        memcpy(p, &head, sizeof(head));
}

void
wire_response_field(struct wire_writer *w, struct slice name, struct slice value)
{
    enum field_name id = field_name_find(name.p, name.n);
    struct wire_lengths lengths = {.name_n = (uint16_t)name.n, .value_n = (uint32_t)value.n};
    struct wire_response_head head;

    if (id != NAME_NONE && slice_eq(field_names[id], name)) {
        lengths.id = (uint16_t)id;
        lengths.name_n = 0;
        name = SLICE_NONE;
    }
    if (name.n > UINT16_MAX || value.n > UINT32_MAX) {
        w->overflow = true;
        return;
    }
    append(w, slice_make((const char *)&lengths, sizeof(lengths)));
    append(w, name);
    append(w, value);
    if (w->overflow)
        return;
    memcpy(&head, w->p, sizeof(head));
    if (head.n_fields == UINT16_MAX) {
        w->overflow = true;
        return;
    }
    head.n_fields++;
    memcpy(w->p, &head, sizeof(head));
}

int
wire_response_end(struct wire_writer *w, int64_t body_length, uint32_t *ret_n)
{
    struct wire_response_head head;

    if (w->overflow)
        return -EMSGSIZE;
    memcpy(&head, w->p, sizeof(head));
    head.n = w->at;
    head.body_length = body_length;
    memcpy(w->p, &head, sizeof(head));
    *ret_n = w->at;
    return 0;
}

int
wire_response_read(const char *p, uint32_t n, struct wire_response_head *ret)
{
    struct wire_response_head head;
    struct slice name, value;
    uint32_t at = 0;
    unsigned fields = 0;
    int rc;

    if (n < sizeof(head))
        return -EBADMSG;
    memcpy(&head, p, sizeof(head));
    if (head.n < sizeof(head) || head.n > n)
        return -EBADMSG;
    if (head.status < 100 || head.status > 999 || head.body_length < -1)
        return -EBADMSG;
    while ((rc = wire_response_next(p, &head, &at, &name, &value)) == 1)
        fields++;
    if (rc < 0 || fields != head.n_fields)
        return -EBADMSG;
    *ret = head;
    return 0;
}

int
wire_response_next(const char *p, const struct wire_response_head *h, uint32_t *at,
                   struct slice *ret_name, struct slice *ret_value)
{
    uint32_t from = *at == 0 ? sizeof(*h) : *at;
    struct wire_lengths lengths;

    if (from == h->n)
        return 0;
    if (from > h->n || h->n - from < sizeof(lengths))
        return -EBADMSG;
    memcpy(&lengths, p + from, sizeof(lengths));
    from += sizeof(lengths);
    if (lengths.id >= NAMES || (lengths.id != NAME_NONE) != (lengths.name_n == 0))
        return -EBADMSG;
    if (lengths.name_n > h->n - from || lengths.value_n > h->n - from - lengths.name_n)
        return -EBADMSG;
    *ret_name =
        lengths.id != NAME_NONE ? field_names[lengths.id] : slice_make(p + from, lengths.name_n);
    *ret_value = slice_make(p + from + lengths.name_n, lengths.value_n);
    *at = from + lengths.name_n + lengths.value_n;
    return 1;
}
