/*
 * h1_parse.h - bytes to request line and fields (RFC 9112, 3 and 5).
 *
 * The parser looks at each byte once and allocates nothing: slices point into the input, numbers of
 * known names are found on the way.  It may be stopped after any byte; the verdict does not depend
 * on where the input was cut.
 */
#ifndef HTTP_H1_PARSE_H
#define HTTP_H1_PARSE_H

#include "http/fields.h"

enum h1_result {
    H1_OK,
    H1_MORE,        /* the input ended */
    H1_FIELDS_FULL, /* give the parser a larger array (h1_parse_fields), then go on */
#define H1_ERROR(name, status, sentence) H1_##name,
#include "http/h1_error.def"
#undef H1_ERROR
    H1_RESULTS,
};

struct h1_limits {
    uint32_t line; /* bytes of one line with its CR LF */
    uint32_t head; /* of all lines */
    uint32_t fields;
    bool drop_unsafe; /* fields with other than letters, digits, '-' in their names */
};

struct h1_parser {
    /* What was found. */
    struct slice line;
    struct slice method;
    struct slice target;
    struct field *fields;
    unsigned n_fields;
    unsigned minor; /* 0 or 1 */

    /* Where it stands. */
    const char *at; /* the next byte to look at; behind the head once it is H1_OK */
    const char *head;
    const char *line_start;
    const char *token;
    const struct h1_limits *limits;
    unsigned room; /* of fields */
    unsigned seen; /* fields, dropped ones included */
    uint8_t state;
    uint8_t major;
    bool unsafe; /* the name under way */
};

/* Start at p; fields has room places. */
void h1_parse_start(struct h1_parser *p, const char *at, const struct h1_limits *limits,
                    struct field *fields, unsigned room);
/* Go on; the input ends at end.  After an error the parser is of no more use. */
enum h1_result h1_parse(struct h1_parser *p, const char *end);
/* A larger array, into which what was found is copied. */
void h1_parse_fields(struct h1_parser *p, struct field *fields, unsigned room);
/* The input has moved in memory by so many bytes. */
void h1_parse_moved(struct h1_parser *p, ptrdiff_t by);

unsigned h1_error_status(enum h1_result error);
const char *h1_error_text(enum h1_result error);

#endif
