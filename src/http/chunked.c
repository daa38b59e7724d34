/*
 * chunked.c - the chunked coding as a machine of one state a byte, and runs of data taken whole.
 *
 *   SIZE -> [EXT] -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE …
 *                 0 -> TRAILER -> NAME -> VALUE -> VALUE_LF -> TRAILER … -> END_LF -> DONE
 *
 * What peers got wrong here, and what is refused therefore: research on request smuggling, rows
 * 1-10.
 */
#include "http/chunked.h"

#include "http/chars.h"

#define LINE_MAX_BYTES  1024  /* an extension, a trailer's line is under TRAILER_MAX */
#define EXTRA_MAX_BYTES 16384 /* of one body */
#define TRAILER_MAX     8192

enum state {
    SIZE_FIRST,
    SIZE,
    EXT,        /* after ';' */
    EXT_QUOTED, /* inside a quoted string */
    EXT_ESCAPE,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER, /* at the start of a line of the trailer section */
    NAME,
    VALUE,
    VALUE_LF,
    END_LF,
    DONE,
};

void
chunked_init(struct chunked *c)
{
    *c = (struct chunked){.state = SIZE_FIRST};
}

static bool
too_long(struct chunked *c, uint32_t limit)
{
    return ++c->line > limit || ++c->extra > EXTRA_MAX_BYTES;
}

/* One byte of the line that begins with the size. */
static enum chunked_result
size_byte(struct chunked *c, char byte)
{
    int digit = hex_value(byte);

    if (digit >= 0) {
        /* 15 digits, leading zeros included: no sum of sizes can wrap. */
        if (++c->digits > 15)
            return CHUNKED_BAD;
        c->left = c->left << 4 | (unsigned)digit;
        c->state = SIZE;
        return CHUNKED_MORE;
    }
    if (c->state == SIZE_FIRST)
        return CHUNKED_BAD;
    if (byte == '\r')
        c->state = SIZE_LF;
    else if (byte == ';')
        c->state = EXT;
    else
        return CHUNKED_BAD;
    return CHUNKED_MORE;
}

static enum chunked_result
ext_byte(struct chunked *c, char byte)
{
    if (too_long(c, LINE_MAX_BYTES))
        return CHUNKED_LONG;
    if (byte == '\r' && c->state == EXT) {
        c->state = SIZE_LF;
        return CHUNKED_MORE;
    }
    if (!char_is(byte, CHAR_VALUE))
        return CHUNKED_BAD;
    switch (c->state) {
    case EXT:
        if (byte == '"')
            c->state = EXT_QUOTED;
        break;
    case EXT_QUOTED:
        if (byte == '"')
            c->state = EXT;
        else if (byte == '\\')
            c->state = EXT_ESCAPE;
        break;
    default:
        c->state = EXT_QUOTED;
        break;
    }
    return CHUNKED_MORE;
}

static enum chunked_result
trailer_byte(struct chunked *c, char byte)
{
    if (c->state == TRAILER) {
        c->line = 0;
        if (byte == '\r') {
            c->state = END_LF;
            return CHUNKED_MORE;
        }
        c->state = NAME;
        if (byte == ':')
            return CHUNKED_BAD;
    }
    if (too_long(c, TRAILER_MAX))
        return CHUNKED_LONG;
    if (c->state == NAME) {
        if (byte == ':')
            c->state = VALUE;
        else if (!char_is(byte, CHAR_TOKEN))
            return CHUNKED_BAD;
        return CHUNKED_MORE;
    }
    if (byte == '\r')
        c->state = VALUE_LF;
    else if (!char_is(byte, CHAR_VALUE))
        return CHUNKED_BAD;
    return CHUNKED_MORE;
}

static enum chunked_result
line_end(struct chunked *c, char byte, char expected, enum state next)
{
    if (byte != expected)
        return CHUNKED_BAD;
    c->state = (uint8_t)next;
    return CHUNKED_MORE;
}

static enum chunked_result
one_byte(struct chunked *c, char byte)
{
    switch ((enum state)c->state) {
    case SIZE_FIRST:
    case SIZE:
        return size_byte(c, byte);
    case EXT:
    case EXT_QUOTED:
    case EXT_ESCAPE:
        return ext_byte(c, byte);
    case SIZE_LF:
        c->line = 0;
        c->digits = 0;
        return line_end(c, byte, '\n', c->left > 0 ? DATA : TRAILER);
    case DATA_CR:
        return line_end(c, byte, '\r', DATA_LF);
    case DATA_LF:
        return line_end(c, byte, '\n', SIZE_FIRST);
    case TRAILER:
    case NAME:
    case VALUE:
        return trailer_byte(c, byte);
    case VALUE_LF:
        return line_end(c, byte, '\n', TRAILER);
    case END_LF:
        return line_end(c, byte, '\n', DONE);
    case DATA:
    case DONE:
        break;
    }
    return CHUNKED_BAD;
}

enum chunked_result
chunked_next(struct chunked *c, struct slice *in, struct slice *ret_data)
{
    while (c->state != DONE) {
        enum chunked_result result;

        if (in->n == 0)
            return CHUNKED_MORE;
        if (c->state == DATA) {
            size_t n = (size_t)br_min(c->left, (uint64_t)in->n);

            *ret_data = slice_make(in->p, n);
            *in = slice_make(in->p + n, in->n - n);
            c->left -= n;
            if (c->left == 0)
                c->state = DATA_CR;
            return CHUNKED_DATA;
        }
        result = one_byte(c, in->p[0]);
        if (result != CHUNKED_MORE)
            return result;
        *in = slice_make(in->p + 1, in->n - 1);
    }
    return CHUNKED_DONE;
}

uint64_t
chunked_due(const struct chunked *c)
{
    return c->state == DATA ? c->left : 0;
}

size_t
chunked_head(char room[CHUNKED_HEAD_MAX], uint64_t n)
{
    size_t digits = (67 - (size_t)__builtin_clzll(n)) / 4;

    for (size_t i = digits; i > 0; i--, n >>= 4)
        room[i - 1] = "0123456789ABCDEF"[n & 15];
    room[digits] = '\r';
    room[digits + 1] = '\n';
    return digits + 2;
}
