/*
 * fuzz_chunked.c - any bytes as a chunked body.
 *
 *   one byte (how the rest is cut), then the input
 *
 * Decoded whole and in pieces: the same data, the same end.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/buf.h"
#include "http/chunked.h"

static void
must(bool truth)
{
    if (!truth)
        abort();
}

static enum chunked_result
decode(const uint8_t *data, size_t n, size_t by, struct buf *body, size_t *ret_used)
{
    enum chunked_result result = CHUNKED_MORE;
    struct chunked c;
    size_t used = 0;

    buf_init(body, n + 1);
    chunked_init(&c);
    for (size_t at = 0; at < n && result == CHUNKED_MORE; at += by) {
        struct slice in = slice_sub(slice_make((const char *)data, n), at, at + by), piece;

        while ((result = chunked_next(&c, &in, &piece)) == CHUNKED_DATA) {
            must(piece.n > 0);
            must(buf_put(body, piece) == 0);
        }
        must(result != CHUNKED_MORE || in.n == 0);
        used = (size_t)((const uint8_t *)in.p - data);
    }
    *ret_used = used;
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t whole_used, pieces_used;
    struct buf whole, pieces;
    enum chunked_result result;

    if (n < 2)
        return 0;
    result = decode(data + 1, n - 1, n, &whole, &whole_used);
    must(decode(data + 1, n - 1, data[0] % 17 + 1u, &pieces, &pieces_used) == result);
    must(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    must(whole_used == pieces_used);
    if (result == CHUNKED_DONE)
        must(whole_used >= 5 && memcmp(data + whole_used - 1, "\r\n", 2) == 0);
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
