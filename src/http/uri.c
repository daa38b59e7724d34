/*
 * uri.c - targets to paths.
 *
 *   raw_path --decode %XX--> merge "//" --> resolve "." and ".." --> path
 *
 * One pass: a segment is written where it will stand; when its '/' (plain or encoded) or the end
 * comes, "" and "." are taken back and ".." takes the segment before it, too.  RFC
 * 3986, 2.1, 5.2.4.
 */
#include "http/uri.h"

#include <errno.h>
#include <sys/types.h>

#include "http/chars.h"

/* "http://" or "https://", without regard to case: how long it is, or 0. */
static size_t
scheme_length(struct slice target)
{
    if (slice_ieq(slice_sub(target, 0, 7), SLICE("http://")))
        return 7;
    if (slice_ieq(slice_sub(target, 0, 8), SLICE("https://")))
        return 8;
    return 0;
}

/*
 * The path of a target that begins with a slash: up to '?', '#' or the end.
 *
 *   ret_plain   it has no segment that decoding, merging or resolving would change
 */
static size_t
path_length(struct slice rest, bool *ret_plain)
{
    bool plain = true;
    size_t i = 1;

    for (; i < rest.n; i++) {
        char c = rest.p[i];

        if (br_likely(char_is(c, CHAR_PATH)))
            continue;
        if (c == '?' || c == '#')
            break;
        /* An inner dot is harmless; after a slash it may make a dot segment. */
        if (c == '%' || rest.p[i - 1] == '/')
            plain = false;
    }
    *ret_plain = plain;
    return i;
}

/* "http://host:80/path": the authority, and what follows it. */
static bool
split_absolute(struct slice target, struct slice *ret_authority, struct slice *ret_rest)
{
    size_t start = scheme_length(target), end = start;

    while (end < target.n && target.p[end] != '/' && target.p[end] != '?' && target.p[end] != '#')
        end++;
    *ret_authority = slice_sub(target, start, end);
    *ret_rest = slice_sub(target, end, target.n);
    return start > 0 && end > start; /* RFC 9110, 4.2.1: an empty host is invalid */
}

static bool
target_bytes_ok(struct slice target)
{
    for (size_t i = 0; i < target.n; i++)
        if (br_unlikely(!char_is(target.p[i], CHAR_TARGET)))
            return false;
    return target.n > 0;
}

int
uri_parse(struct slice target, struct uri *ret)
{
    struct uri uri = {0};
    struct slice rest = target;
    size_t n;

    if (!target_bytes_ok(target))
        return -EBADMSG;
    if (target.p[0] != '/' && !split_absolute(target, &uri.authority, &rest))
        return -EBADMSG;
    if (rest.n > 0 && rest.p[0] == '/') {
        n = path_length(rest, &uri.plain);
        uri.raw_path = slice_make(rest.p, n);
        rest = slice_make(rest.p + n, rest.n - n);
    } else {
        uri.raw_path = SLICE("/");
        uri.plain = true;
    }
    if (rest.n > 0 && rest.p[0] == '?') {
        uri.has_query = true;
        uri.query = slice_sub(rest, 1, slice_find(rest, 1, '#'));
    }
    *ret = uri;
    return 0;
}

/* The byte at *at, decoded, *at moved behind it; -1 for bad syntax. */
static int
next_byte(struct slice raw, size_t *at)
{
    char c = raw.p[(*at)++];
    int high, low;

    if (c != '%')
        return (unsigned char)c;
    if (raw.n - *at < 2)
        return -1;
    high = hex_value(raw.p[*at]);
    low = hex_value(raw.p[*at + 1]);
    if (high < 0 || low < 0)
        return -1;
    *at += 2;
    return high << 4 | low;
}

/* Where the segment before the slash at `end - 1` begins; 0 when there is none. */
static size_t
segment_before(const char *room, size_t end)
{
    size_t at = end - 1;

    while (at > 0 && room[at - 1] != '/')
        at--;
    return at;
}

/* The segment from..n is complete: how much of it stays, -EBADMSG when it climbs too far. */
static ssize_t
close_segment(const char *room, size_t from, size_t n)
{
    size_t length = n - from;

    if (length == 1 && room[from] == '.')
        return (ssize_t)from;
    if (length == 2 && room[from] == '.' && room[from + 1] == '.') {
        size_t parent = segment_before(room, from);

        return parent == 0 ? -EBADMSG : (ssize_t)parent;
    }
    return (ssize_t)n;
}

int
uri_path(struct slice raw, char *room, struct slice *ret_path)
{
    size_t at = 0, n = 0, from = 0; /* from: where the segment under way begins */

    while (at < raw.n) {
        int c = next_byte(raw, &at);
        ssize_t kept;

        if (c <= 0)
            return -EBADMSG;
        if (c != '/') {
            room[n++] = (char)c;
            continue;
        }
        kept = close_segment(room, from, n);
        if (kept < 0)
            return (int)kept;
        n = (size_t)kept;
        if (n == 0 || room[n - 1] != '/')
            room[n++] = '/';
        from = n;
    }
    if (from > 0) {
        ssize_t kept = close_segment(room, from, n);

        if (kept < 0)
            return (int)kept;
        n = (size_t)kept;
    }
    *ret_path = slice_make(room, n);
    return 0;
}

int
uri_decode(struct slice raw, char *room, struct slice *ret_text)
{
    size_t at = 0, n = 0;

    while (at < raw.n) {
        int c = next_byte(raw, &at);

        if (c < 0)
            return -EBADMSG;
        room[n++] = (char)c;
    }
    *ret_text = slice_make(room, n);
    return 0;
}

/* RFC 3986, 3.2.2: what stands between the brackets; the digits themselves are not judged. */
static bool
ip_literal_ok(struct slice inside)
{
    size_t colons = 0;

    for (size_t i = 0; i < inside.n; i++) {
        if (inside.p[i] == ':')
            colons++;
        else if (!char_is(inside.p[i], CHAR_HEX) && inside.p[i] != '.')
            return false;
    }
    return colons >= 2;
}

/* Length of the name at the start of value; -1 for a byte that cannot be there. */
static ssize_t
host_name_length(struct slice value, bool *ret_upper)
{
    size_t n = 0;

    if (value.n > 0 && value.p[0] == '[') {
        size_t end = slice_find(value, 0, ']');

        if (end == value.n || !ip_literal_ok(slice_sub(value, 1, end)))
            return -1;
        for (size_t i = 0; i < end; i++)
            *ret_upper |= value.p[i] != ascii_lower(value.p[i]);
        return (ssize_t)end + 1;
    }
    for (; n < value.n; n++) {
        char c = value.p[n];

        if (br_likely(char_is(c, CHAR_HOST))) {
            if (c == '.' && n > 0 && value.p[n - 1] == '.')
                return -1;
            *ret_upper |= (unsigned char)(c - 'A') < 26;
        } else if (c == ':') {
            break;
        } else if (c != '%' || value.n - n < 3 || hex_value(value.p[n + 1]) < 0 ||
                   hex_value(value.p[n + 2]) < 0) {
            return -1;
        }
    }
    return (ssize_t)n;
}

int
host_parse(struct slice value, char *room, struct slice *ret_name)
{
    bool upper = false;
    ssize_t length = host_name_length(value, &upper);
    struct slice name;

    if (length < 0)
        return -EBADMSG;
    name = slice_sub(value, 0, (size_t)length);
    if (name.n < value.n) {
        if (value.p[name.n] != ':' || name.n == 0)
            return -EBADMSG;
        for (size_t i = name.n + 1; i < value.n; i++)
            if (value.p[i] < '0' || value.p[i] > '9')
                return -EBADMSG;
    }
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    if (upper) {
        if (room == NULL)
            return -ENOBUFS;
        for (size_t i = 0; i < name.n; i++)
            room[i] = ascii_lower(name.p[i]);
        name.p = room;
    }
    *ret_name = name;
    return 0;
}
