/*
 * fuzz_h1.c - any bytes as the head of a request.
 *
 *   one byte (how the rest is cut), then the input
 *
 * The input is parsed whole, then in pieces, each time in a new block of exactly its length; both
 * ways must come to the same end.  What is found must lie inside and keep the promises of the
 * header.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "http/h1_head.h"

#define FIELDS 64

static const struct h1_limits limits = {
    .line = 512, .head = 2048, .fields = FIELDS, .drop_unsafe = true};

static const struct http_limits http_limits = {.max_body_size = 1000, .chunked_transform = true};

static void
must(bool truth)
{
    if (!truth)
        abort();
}

static char *
block_of(const uint8_t *data, size_t n)
{
    char *p = malloc(n);

    must(p != NULL || n == 0);
    if (n > 0)
        memcpy(p, data, n);
    return p;
}

static enum h1_result
parse_in_pieces(struct h1_parser *p, struct field *fields, const uint8_t *data, size_t n, size_t by,
                char **ret_block)
{
    enum h1_result result = H1_MORE;
    char *block = block_of(data, 0);

    h1_parse_start(p, block, &limits, fields, 1);
    for (size_t at = 0; at < n && result == H1_MORE;) {
        size_t end = br_min(at + by, n);
        char *larger = block_of(data, end);

        h1_parse_moved(p, larger - block);
        free(block);
        block = larger;
        at = end;
        result = h1_parse(p, block + at);
        while (result == H1_FIELDS_FULL) {
            static struct field more[FIELDS];

            must(p->n_fields == 1 && p->fields == fields);
            h1_parse_fields(p, more, FIELDS);
            result = h1_parse(p, block + at);
        }
    }
    *ret_block = block;
    return result;
}

static void
must_be_same(struct slice a, const char *a_base, struct slice b, const char *b_base)
{
    must(slice_eq(a, b));
    must(a.p == NULL ? b.p == NULL : a.p - a_base == b.p - b_base);
}

static void
compare(const struct h1_parser *a, const char *a_base, const struct h1_parser *b,
        const char *b_base)
{
    must(a->at - a_base == b->at - b_base);
    must(a->n_fields == b->n_fields && a->minor == b->minor);
    must_be_same(a->line, a_base, b->line, b_base);
    must_be_same(a->method, a_base, b->method, b_base);
    must_be_same(a->target, a_base, b->target, b_base);
    for (unsigned i = 0; i < a->n_fields; i++) {
        must(a->fields[i].id == b->fields[i].id);
        must_be_same(a->fields[i].name, a_base, b->fields[i].name, b_base);
        must_be_same(a->fields[i].value, a_base, b->fields[i].value, b_base);
    }
}

static void
judge(const struct h1_parser *p)
{
    struct request *req = request_new(NULL, &http_limits);
    struct h1_framing framing;

    req->line = p->line;
    req->method = p->method;
    req->target = p->target;
    req->fields = p->fields;
    req->n_fields = p->n_fields;
    req->minor = p->minor;
    if (h1_head_judge(req, &framing) == H1_OK) {
        must(framing.length <= http_limits.max_body_size);
        must(!framing.chunked || framing.length == 0);
        must(!framing.chunked || req->minor == 1);
        must(req->path.n > 0 && req->path.p[0] == '/');
        must(memchr(req->path.p, '\0', req->path.n) == NULL);
        must(req->minor == 0 || fields_find(req->fields, req->n_fields, NAME_HOST) != NULL);
    }
    request_free(req);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct field whole_fields[FIELDS], pieces_fields[FIELDS];
    struct h1_parser whole, pieces;
    enum h1_result result;
    char *block, *other;

    if (n < 2)
        return 0;
    block = block_of(data + 1, n - 1);
    h1_parse_start(&whole, block, &limits, whole_fields, FIELDS);
    result = h1_parse(&whole, block + n - 1);
    must(parse_in_pieces(&pieces, pieces_fields, data + 1, n - 1, data[0] % 17 + 1u, &other) ==
         result);
    if (result == H1_OK) {
        compare(&whole, block, &pieces, other);
        for (unsigned i = 0; i < whole.n_fields; i++) {
            must(field_name_ok(whole.fields[i].name));
            must(field_value_ok(whole.fields[i].value));
            must(slice_eq(slice_trim(whole.fields[i].value), whole.fields[i].value));
        }
        judge(&whole);
    } else if (result != H1_MORE) {
        must(h1_error_status(result) >= 400 && h1_error_text(result) != NULL);
    }
    free(block);
    free(other);
    return 0;
}
