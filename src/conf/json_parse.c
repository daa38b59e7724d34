/*
 * json_parse.c - text to tree.
 *
 *   text --one copy--> [ { "a\u00e9" : 1 , ... ]     strings are decoded where they stand: never
 *                          ^ node.text points here    longer than they were written
 *
 * Recursive descent with a limit.  Names of an object are compared one by one while they are
 * few, then through a seeded hash map, so that no text takes quadratic time.
 *
 * RFC 8259 with the extensions of control-api, 3: comments, one trailing comma, a leading BOM.
 */
#include "conf/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/map.h"
#include "conf/json_number.h"
#include "conf/utf8.h"

#define NAMES_FEW 8 /* members that are compared one by one */

struct parser {
    struct arena *arena;
    const char *start; /* of the copy; offsets count from here */
    const char *end;
    char *at;
    unsigned depth;
    const char *fault_at;
    struct br_err *err;
};

static int parse_value(struct parser *ps, struct json **ret_value);

br_printf(3, 4) static int refuse(struct parser *ps, const char *where, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ps->fault_at = where;
    return br_fail(ps->err, -EBADMSG, "%s", text);
}

/* Something else than `wanted` stands here. */
static int
unexpected(struct parser *ps, const char *wanted)
{
    unsigned char c;

    if (ps->at == ps->end)
        return refuse(ps, ps->at, "The text ends where %s is expected.", wanted);
    c = (unsigned char)*ps->at;
    if (c >= 0x80 && utf8_length(ps->at, ps->end) == 0)
        return refuse(ps, ps->at, "The byte 0x%02X does not belong to valid UTF-8.", c);
    if (c > 0x20 && c < 0x7f)
        return refuse(ps, ps->at, "There is '%c' where %s is expected.", c, wanted);
    return refuse(ps, ps->at, "There is the byte 0x%02X where %s is expected.", c, wanted);
}

static int
out_of_memory(struct parser *ps)
{
    return br_fail(ps->err, -ENOMEM, "The JSON text needs more memory than is allowed");
}

static struct json *
new_node(struct parser *ps, enum json_type type)
{
    struct json *value = arena_new(ps->arena, struct json);

    if (value == NULL)
        return NULL;
    value->type = type;
    value->offset = (uint32_t)(ps->at - ps->start);
    value->name_offset = JSON_NOWHERE;
    return value;
}

/* At a line feed, or at the end: a comment may be the last line without one. */
static int
skip_line_comment(struct parser *ps)
{
    while (ps->at < ps->end && *ps->at != '\n') {
        unsigned n = utf8_length(ps->at, ps->end);

        if (n == 0)
            return unexpected(ps, "a comment");
        ps->at += n;
    }
    return 0;
}

static int
skip_block_comment(struct parser *ps)
{
    const char *begin = ps->at;

    ps->at += 2;
    while (ps->at < ps->end) {
        unsigned n = utf8_length(ps->at, ps->end);

        if (n == 0)
            return unexpected(ps, "a comment");
        if (*ps->at == '*' && ps->end - ps->at >= 2 && ps->at[1] == '/') {
            ps->at += 2;
            return 0;
        }
        ps->at += n;
    }
    return refuse(ps, begin, "The comment that begins here has no end.");
}

static int
skip_space(struct parser *ps)
{
    while (ps->at < ps->end) {
        int rc = 0;

        switch (*ps->at) {
        case ' ':
        case '\t':
        case '\r':
        case '\n':
            ps->at++;
            continue;
        case '/':
            if (ps->end - ps->at >= 2 && ps->at[1] == '/')
                rc = skip_line_comment(ps);
            else if (ps->end - ps->at >= 2 && ps->at[1] == '*')
                rc = skip_block_comment(ps);
            else
                return 0;
            if (rc < 0)
                return rc;
            continue;
        default:
            return 0;
        }
    }
    return 0;
}

/* The four digits after "\u". */
static int
parse_hex4(struct parser *ps, uint32_t *ret_code)
{
    uint32_t code = 0;

    for (unsigned i = 0; i < 4; i++, ps->at++) {
        int digit = ps->at < ps->end ? hex_value(*ps->at) : -1;

        if (digit < 0)
            return unexpected(ps, "a hexadecimal digit of \\uXXXX");
        code = code << 4 | (uint32_t)digit;
    }
    *ret_code = code;
    return 0;
}

static bool
is_high_surrogate(uint32_t code)
{
    return code >= 0xd800 && code <= 0xdbff;
}

static bool
is_low_surrogate(uint32_t code)
{
    return code >= 0xdc00 && code <= 0xdfff;
}

/* At the four digits; two escapes make one character beyond the basic plane (RFC 8259, 7). */
static int
parse_unicode(struct parser *ps, char **to)
{
    const char *begin = ps->at - 2;
    uint32_t code = 0, low = 0;
    int rc;

    rc = parse_hex4(ps, &code);
    if (rc < 0)
        return rc;
    if (is_low_surrogate(code))
        return refuse(ps, begin, "A low surrogate stands without its high one.");
    if (is_high_surrogate(code)) {
        if (ps->end - ps->at < 2 || ps->at[0] != '\\' || ps->at[1] != 'u')
            return refuse(ps, begin, "A high surrogate stands without its low one.");
        ps->at += 2;
        rc = parse_hex4(ps, &low);
        if (rc < 0)
            return rc;
        if (!is_low_surrogate(low))
            return refuse(ps, begin, "A high surrogate stands without its low one.");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *to += utf8_put(*to, code);
    return 0;
}

/* At the backslash. */
static int
parse_escape(struct parser *ps, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *hit;

    ps->at++;
    if (ps->at == ps->end)
        return unexpected(ps, "the rest of an escape");
    if (*ps->at == 'u') {
        ps->at++;
        return parse_unicode(ps, to);
    }
    hit = memchr(letters, *ps->at, sizeof letters - 1);
    if (hit == NULL)
        return refuse(ps, ps->at - 1,
                      "Unknown escape: a backslash may stand before one of \"\\/bfnrtu only.");
    *(*to)++ = meant[hit - letters];
    ps->at++;
    return 0;
}

/* At the opening quote. */
static int
parse_string(struct parser *ps, struct slice *ret_text)
{
    char *begin, *to;
    int rc;

    begin = to = ++ps->at;
    while (ps->at < ps->end && *ps->at != '"') {
        unsigned char c = (unsigned char)*ps->at;
        unsigned n;

        if (c == '\\') {
            rc = parse_escape(ps, &to);
            if (rc < 0)
                return rc;
            continue;
        }
        if (c < 0x20)
            return refuse(ps, ps->at,
                          "The control byte 0x%02X in a string must be written as an escape.", c);
        n = utf8_length(ps->at, ps->end);
        if (n == 0)
            return unexpected(ps, "a character");
        if (to == ps->at) {
            to += n;
            ps->at += n;
        } else {
            while (n-- > 0)
                *to++ = *ps->at++;
        }
    }
    if (ps->at == ps->end)
        return unexpected(ps, "the closing quote of a string");
    ps->at++;
    *ret_text = slice_make(begin, (size_t)(to - begin));
    return 0;
}

static size_t
skip_digits(struct parser *ps)
{
    const char *begin = ps->at;

    while (ps->at < ps->end && *ps->at >= '0' && *ps->at <= '9')
        ps->at++;
    return (size_t)(ps->at - begin);
}

static bool
next_is(const struct parser *ps, char c)
{
    return ps->at < ps->end && *ps->at == c;
}

/* RFC 8259, 6: number = [ minus ] int [ frac ] [ exp ] */
static int
scan_number(struct parser *ps)
{
    const char *begin;

    if (next_is(ps, '-'))
        ps->at++;
    begin = ps->at;
    if (skip_digits(ps) == 0)
        return unexpected(ps, "a digit");
    if (*begin == '0' && ps->at - begin > 1)
        return refuse(ps, begin, "A number must not have leading zeros.");
    if (next_is(ps, '.')) {
        ps->at++;
        if (skip_digits(ps) == 0)
            return unexpected(ps, "a digit after the point");
    }
    if (next_is(ps, 'e') || next_is(ps, 'E')) {
        ps->at++;
        if (next_is(ps, '+') || next_is(ps, '-'))
            ps->at++;
        if (skip_digits(ps) == 0)
            return unexpected(ps, "a digit of the exponent");
    }
    return 0;
}

static int
parse_number(struct parser *ps, struct json **ret_value)
{
    struct json *value = new_node(ps, JSON_NUMBER);
    const char *begin = ps->at;
    int rc;

    if (value == NULL)
        return out_of_memory(ps);
    rc = scan_number(ps);
    if (rc < 0)
        return rc;
    value->text = slice_make(begin, (size_t)(ps->at - begin));
    if (value->text.n > JSON_NUMBER_MAX)
        return refuse(ps, begin, "A number must not have more than %d characters.",
                      JSON_NUMBER_MAX);
    if (!json_number_fits(value->text))
        return refuse(ps, begin, "The number is too large: more than 2^63.");
    *ret_value = value;
    return 0;
}

static int
parse_word(struct parser *ps, struct slice word, enum json_type type, bool truth,
           struct json **ret_value)
{
    struct json *value;

    if (!slice_starts(slice_make(ps->at, (size_t)(ps->end - ps->at)), word))
        return unexpected(ps, "a value");
    value = new_node(ps, type);
    if (value == NULL)
        return out_of_memory(ps);
    if (type == JSON_BOOL)
        value->truth = truth;
    ps->at += word.n;
    *ret_value = value;
    return 0;
}

/*
 * After an element: at the next one (true), or behind the closing bracket (false); white space
 * and one trailing comma are dealt with.
 */
static int
parse_separator(struct parser *ps, char close, bool *ret_more)
{
    int rc = skip_space(ps);

    if (rc < 0)
        return rc;
    if (next_is(ps, ',')) {
        ps->at++;
        rc = skip_space(ps);
        if (rc < 0)
            return rc;
        *ret_more = !next_is(ps, close);
    } else if (next_is(ps, close)) {
        *ret_more = false;
    } else {
        return unexpected(ps, close == ']' ? "',' or ']'" : "',' or '}'");
    }
    if (!*ret_more)
        ps->at++;
    return 0;
}

/* At the opening bracket; is there anything inside? */
static int
parse_open(struct parser *ps, enum json_type type, struct json **ret_value, bool *ret_more)
{
    char close = type == JSON_ARRAY ? ']' : '}';
    int rc;

    if (ps->depth == JSON_DEPTH_MAX)
        return refuse(ps, ps->at, "Values must not be nested more than %d deep.", JSON_DEPTH_MAX);
    *ret_value = new_node(ps, type);
    if (*ret_value == NULL)
        return out_of_memory(ps);
    ps->at++;
    rc = skip_space(ps);
    if (rc < 0)
        return rc;
    *ret_more = !next_is(ps, close);
    if (!*ret_more)
        ps->at++;
    return 0;
}

static int
parse_array(struct parser *ps, struct json **ret_value)
{
    struct json *array = NULL, *value = NULL;
    bool more = false;
    int rc = parse_open(ps, JSON_ARRAY, &array, &more);

    ps->depth++;
    while (rc == 0 && more) {
        rc = parse_value(ps, &value);
        if (rc < 0)
            return rc;
        json_push(array, value);
        rc = parse_separator(ps, ']', &more);
    }
    ps->depth--;
    *ret_value = array;
    return rc;
}

/* Names of the object that is being read. */
struct names {
    struct map map; /* in use once there are more than a few */
    bool mapped;
};

static bool
is_known_name(struct names *names, struct json *object, struct json *member)
{
    if (object->n < NAMES_FEW)
        return json_get(object, member->name) != NULL;
    if (!names->mapped) {
        names->mapped = true;
        json_foreach(m, object) map_add(&names->map, m->name, m);
    }
    return map_add(&names->map, member->name, member) < 0;
}

/* At what should be a name. */
static int
parse_member(struct parser *ps, struct json *object, struct names *names)
{
    struct json *value = NULL;
    uint32_t name_offset = (uint32_t)(ps->at - ps->start);
    struct slice name;
    int rc;

    if (!next_is(ps, '"'))
        return unexpected(ps, "the name of a member, in double quotes,");
    rc = parse_string(ps, &name);
    if (rc == 0)
        rc = skip_space(ps);
    if (rc < 0)
        return rc;
    if (!next_is(ps, ':'))
        return unexpected(ps, "':'");
    ps->at++;
    rc = skip_space(ps);
    if (rc == 0)
        rc = parse_value(ps, &value);
    if (rc != 0)
        return rc;
    value->name = name;
    value->name_offset = name_offset;
    if (is_known_name(names, object, value))
        return refuse(ps, ps->start + name_offset, "The object has this name twice.");
    json_push(object, value);
    return 0;
}

static int
parse_object(struct parser *ps, struct json **ret_value)
{
    struct names names = {.mapped = false};
    struct json *object = NULL;
    bool more = false;
    int rc = parse_open(ps, JSON_OBJECT, &object, &more);

    map_init(&names.map);
    ps->depth++;
    while (rc == 0 && more) {
        rc = parse_member(ps, object, &names);
        if (rc == 0)
            rc = parse_separator(ps, '}', &more);
    }
    ps->depth--;
    map_done(&names.map);
    *ret_value = object;
    return rc;
}

static int
parse_value(struct parser *ps, struct json **ret_value)
{
    struct json *value;

    if (ps->at == ps->end)
        return unexpected(ps, "a value");
    switch (*ps->at) {
    case '{':
        return parse_object(ps, ret_value);
    case '[':
        return parse_array(ps, ret_value);
    case '"':
        value = new_node(ps, JSON_STRING);
        if (value == NULL)
            return out_of_memory(ps);
        *ret_value = value;
        return parse_string(ps, &value->text);
    case 't':
        return parse_word(ps, SLICE("true"), JSON_BOOL, true, ret_value);
    case 'f':
        return parse_word(ps, SLICE("false"), JSON_BOOL, false, ret_value);
    case 'n':
        return parse_word(ps, SLICE("null"), JSON_NULL, false, ret_value);
    default:
        if (*ps->at == '-' || (*ps->at >= '0' && *ps->at <= '9'))
            return parse_number(ps, ret_value);
        return unexpected(ps, "a value");
    }
}

static int
parse_document(struct parser *ps, struct json **ret_root)
{
    int rc = skip_space(ps);

    if (rc == 0)
        rc = parse_value(ps, ret_root);
    if (rc == 0)
        rc = skip_space(ps);
    if (rc == 0 && ps->at < ps->end)
        return unexpected(ps, "the end of the text");
    return rc;
}

static struct slice
without_bom(struct slice text)
{
    return slice_starts(text, SLICE("\xef\xbb\xbf")) ? slice_sub(text, 3, text.n) : text;
}

int
json_parse(struct arena *a, struct slice text, struct json **ret_root, size_t *ret_offset,
           struct br_err *err)
{
    struct parser ps = {.arena = a, .err = err};
    struct json *root = NULL;
    int rc;

    text = without_bom(text);
    if (text.n >= JSON_NOWHERE)
        return br_fail(err, -EFBIG, "The JSON text is too long");
    ps.at = arena_alloc(a, text.n + 1);
    if (ps.at == NULL)
        return out_of_memory(&ps);
    if (text.n > 0)
        memcpy(ps.at, text.p, text.n);
    ps.start = ps.at;
    ps.end = ps.at + text.n;
    rc = parse_document(&ps, &root);
    if (rc == -EBADMSG)
        *ret_offset = (size_t)(ps.fault_at - ps.start);
    if (rc == 0)
        *ret_root = root;
    return rc;
}

bool
json_locate(struct slice text, size_t offset, struct json_place *ret_place)
{
    const char *p, *end, *line;
    unsigned lines = 1, column = 1;

    text = without_bom(text);
    if (offset > text.n)
        return false;
    p = line = text.p;
    end = text.p + offset;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        lines++;
        line = ++p;
    }
    for (p = line; p < end; column++) {
        unsigned n = utf8_length(p, text.p + text.n);

        if (n == 0)
            return false;
        p += n;
    }
    *ret_place = (struct json_place){.line = lines, .column = column};
    return true;
}
