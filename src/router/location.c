/*
 * location.c - percent-encoding for Location fields (RFC 3986, 2.1 to 2.3).
 *
 * Because every control byte is encoded, nothing that a client sent can end the field.
 */
#include "router/location.h"

#include <string.h>

/* Bytes that may stand in a URI: unreserved and reserved ones. */
static bool
is_uri_byte(unsigned char c)
{
    return c > 0x20 && c < 0x7F && strchr("\"<>\\^`{|}%", c) == NULL;
}

/* Bytes of a path segment that need no escape, and the slash between them. */
static bool
is_path_byte(unsigned char c)
{
    return is_uri_byte(c) && c != '?' && c != '#' && c != '[' && c != ']';
}

static bool
is_encoded(struct slice text)
{
    for (size_t at = slice_find(text, 0, '%'); at < text.n; at = slice_find(text, at + 1, '%')) {
        if (at + 2 >= text.n || hex_value(text.p[at + 1]) < 0 || hex_value(text.p[at + 2]) < 0)
            return false;
    }
    return true;
}

static size_t
encode(char *to, struct slice text, bool (*stays)(unsigned char c), bool percent_stays)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (stays(c) || (c == '%' && percent_stays)) {
            to[n++] = (char)c;
            continue;
        }
        to[n++] = '%';
        to[n++] = hex[c >> 4];
        to[n++] = hex[c & 15];
    }
    return n;
}

struct slice
location_of_text(struct arena *a, struct slice text)
{
    char *to = arena_alloc(a, 3 * text.n + 1);

    if (to == NULL)
        return SLICE_NONE;
    return slice_make(to, encode(to, text, is_uri_byte, is_encoded(text)));
}

struct slice
location_of_directory(struct arena *a, struct slice path, struct slice query, bool has_query)
{
    char *to = arena_alloc(a, 3 * path.n + query.n + 2);
    size_t n;

    if (to == NULL)
        return SLICE_NONE;
    n = encode(to, path, is_path_byte, false);
    to[n++] = '/';
    if (has_query) {
        to[n++] = '?';
        memcpy(to + n, query.p, query.n);
        n += query.n;
    }
    return slice_make(to, n);
}
