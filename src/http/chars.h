/*
 * chars.h - the classes of bytes that HTTP's grammar tells apart, one table for all readers.
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include "base/attr.h"

enum char_class {
    CHAR_PLAIN = 1,  /* of a field name: letter, digit, '-' */
    CHAR_TOKEN = 2,  /* tchar (RFC 9110, 5.6.2) */
    CHAR_METHOD = 4, /* A-Z, '_', '-' */
    CHAR_TARGET = 8, /* 0x21-0x7E: what may stand in a request target */
    CHAR_VALUE = 16, /* of a field value: TAB, 0x20-0x7E, 0x80-0xFF */
    CHAR_HOST = 32,  /* unreserved and sub-delims but ',' (RFC 3986, 3.2.2) */
    CHAR_PATH = 64,  /* of a path that decoding would not change, but '/' and '.' */
    CHAR_HEX = 128,
};

extern const uint8_t char_classes[256];

static inline bool
char_is(char c, enum char_class class)
{
    return (char_classes[(unsigned char)c] & class) != 0;
}

/* The first byte that no field value has, or stop. */
const char *chars_skip_value(const char *at, const char *stop);

#endif
