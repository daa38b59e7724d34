/*
 * chunked.h - the chunked coding (RFC 9112, 7.1), both ways, resumable at every byte.
 *
 * Strict: hexadecimal digits only, CRLF only, nothing between size and extension but what the
 * grammar has.  Extensions and trailers are checked, counted and dropped.
 */
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "base/slice.h"

enum chunked_result {
    CHUNKED_MORE, /* all of the input is used up */
    CHUNKED_DATA, /* a piece of the body */
    CHUNKED_DONE, /* the body is complete; what is left of the input follows it */
    CHUNKED_BAD,
    CHUNKED_LONG, /* extensions or trailers beyond the limit */
};

struct chunked {
    uint64_t left;   /* of the chunk under way */
    uint32_t digits; /* of the size */
    uint32_t line;   /* bytes of this line after its size, or of this trailer */
    uint32_t extra;  /* bytes of all extensions and trailers */
    uint8_t state;
};

void chunked_init(struct chunked *c);

/*
 * chunked_next - go on in *in, which shrinks by what was used.
 *
 * Call again while it gives CHUNKED_DATA (ret_data: the part of *in that is body).
 */
enum chunked_result chunked_next(struct chunked *c, struct slice *in, struct slice *ret_data);

/* Bytes of data that the chunk under way still announces. */
uint64_t chunked_due(const struct chunked *c);

#define CHUNKED_HEAD_MAX 18

/* Write "1F40\r\n" for n > 0; how many bytes. */
size_t chunked_head(char room[CHUNKED_HEAD_MAX], uint64_t n);

#define CHUNKED_LAST SLICE("0\r\n\r\n")

#endif
