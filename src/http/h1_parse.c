/*
 * h1_parse.c - the machine that reads heads.
 *
 *   METHOD -> TARGET -> VERSION -> LINE_CR -> LINE_LF -> FIELD
 *   FIELD -> NAME -> BLANK -> VALUE -> VALUE_LF -> FIELD …     FIELD -> END_LF -> done
 *
 * Each state eats a run of bytes of one class.  A line may not pass the end of its own limit:
 * `stop` is the nearest of the input's end, the line's and the head's, so that the same bytes give
 * the same error however they were cut into reads.
 *
 * Strict where RFC 9112 leaves a choice: no bare LF, one space between the parts of the request
 * line, no white space around names, no folding.
 */
#include "http/h1_parse.h"

#include "http/chars.h"

#define METHOD_MAX     64
#define NAME_MAX_BYTES 255
#define VERSION_BYTES  8 /* HTTP/d.d */

enum state {
    METHOD,
    TARGET,
    VERSION,
    LINE_CR,
    LINE_LF,
    FIELD,
    NAME,
    BLANK,
    VALUE,
    VALUE_LF,
    END_LF,
};

static const struct {
    uint16_t status;
    const char *text;
} errors[H1_RESULTS] = {
#define H1_ERROR(name, status, sentence) [H1_##name] = {status, sentence},
#include "http/h1_error.def"
#undef H1_ERROR
};

unsigned
h1_error_status(enum h1_result error)
{
    return errors[error].status;
}

const char *
h1_error_text(enum h1_result error)
{
    return errors[error].text;
}

void
h1_parse_start(struct h1_parser *p, const char *at, const struct h1_limits *limits,
               struct field *fields, unsigned room)
{
    *p = (struct h1_parser){
        .fields = fields,
        .at = at,
        .head = at,
        .line_start = at,
        .token = at,
        .limits = limits,
        .room = room,
        .state = METHOD,
    };
}

void
h1_parse_fields(struct h1_parser *p, struct field *fields, unsigned room)
{
    memcpy(fields, p->fields, p->n_fields * sizeof(*fields));
    p->fields = fields;
    p->room = room;
}

void
h1_parse_moved(struct h1_parser *p, ptrdiff_t by)
{
    p->at += by;
    p->head += by;
    p->line_start += by;
    p->token += by;
    if (p->line.p != NULL)
        p->line.p += by;
    if (p->method.p != NULL)
        p->method.p += by;
    if (p->target.p != NULL)
        p->target.p += by;
    for (unsigned i = 0; i < p->n_fields; i++) {
        p->fields[i].name.p += by;
        p->fields[i].value.p += by;
    }
}

static const char *
skip_class(const char *at, const char *stop, enum char_class class)
{
    while (at < stop && char_is(*at, class))
        at++;
    return at;
}

static const char *
nearest_stop(const struct h1_parser *p, const char *end)
{
    size_t in_line = (size_t)(p->line_start - p->head) + p->limits->line;
    size_t limit = br_min(in_line, (size_t)p->limits->head);

    return (size_t)(end - p->head) > limit ? p->head + limit : end;
}

/* The input was used up to `stop`: is that its end, or a limit? */
static enum h1_result
stopped(const struct h1_parser *p, const char *stop, const char *end)
{
    if (stop == end)
        return H1_MORE;
    if (p->state == METHOD)
        return H1_BAD_METHOD;
    if (p->state < FIELD)
        return H1_LONG_TARGET;
    if (stop == p->line_start + p->limits->line)
        return H1_LONG_LINE;
    return H1_LONG_HEAD;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Eight bytes at text. */
static enum h1_result
read_version(struct h1_parser *p, const char *text)
{
    if (memcmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) || text[6] != '.' || !is_digit(text[7]))
        return H1_BAD_VERSION;
    p->major = (uint8_t)(text[5] - '0');
    p->minor = text[7] != '0';
    return H1_OK;
}

/* A name ends at `end`, where the colon is. */
static enum h1_result
keep_name(struct h1_parser *p, const char *end)
{
    size_t n = (size_t)(end - p->token);
    struct field *field;

    if (n == 0)
        return H1_BAD_NAME;
    if (n > NAME_MAX_BYTES)
        return H1_LONG_NAME;
    if (p->seen == p->limits->fields)
        return H1_MANY_FIELDS;
    p->unsafe = p->unsafe && p->limits->drop_unsafe;
    if (!p->unsafe) {
        if (p->n_fields == p->room)
            return H1_FIELDS_FULL;
        field = &p->fields[p->n_fields++];
        field->name = slice_make(p->token, n);
        field->value = slice_make(end, 0);
        field->id = field_name_find(p->token, n);
    }
    p->seen++;
    return H1_OK;
}

static void
keep_value(struct h1_parser *p, const char *end)
{
    if (p->unsafe)
        return;
    while (end > p->token && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    p->fields[p->n_fields - 1].value = slice_make(p->token, (size_t)(end - p->token));
}

enum h1_result
h1_parse(struct h1_parser *p, const char *end)
{
    const char *at = p->at;
    const char *stop = nearest_stop(p, end);
    enum h1_result result = H1_OK;

    for (;;) {
        switch ((enum state)p->state) {
        case METHOD:
            at = skip_class(at, stop, CHAR_METHOD);
            if (at == stop)
                goto out;
            p->method = slice_make(p->token, (size_t)(at - p->token));
            if (*at != ' ' || p->method.n == 0 || p->method.n > METHOD_MAX)
                return H1_BAD_METHOD;
            p->token = ++at;
            p->state = TARGET;
            __attribute__((fallthrough));

        case TARGET:
            at = skip_class(at, stop, CHAR_TARGET);
            if (at == stop)
                goto out;
            p->target = slice_make(p->token, (size_t)(at - p->token));
            if (p->target.n == 0)
                return H1_BAD_TARGET;
            if (*at != ' ')
                return *at == '\r' || *at == '\n' ? H1_BAD_VERSION : H1_BAD_TARGET;
            p->token = ++at;
            p->state = VERSION;
            __attribute__((fallthrough));

        case VERSION:
            if (stop - p->token < VERSION_BYTES) {
                at = stop;
                goto out;
            }
            result = read_version(p, p->token);
            if (result != H1_OK)
                return result;
            at = p->token + VERSION_BYTES;
            p->state = LINE_CR;
            __attribute__((fallthrough));

        case LINE_CR:
            if (at == stop)
                goto out;
            p->line = slice_make(p->line_start, (size_t)(at - p->line_start));
            if (*at++ != '\r')
                return H1_BAD_VERSION;
            p->state = LINE_LF;
            __attribute__((fallthrough));

        case LINE_LF:
            if (at == stop)
                goto out;
            if (*at++ != '\n')
                return H1_BAD_LINE_END;
            if (p->major != 1)
                return H1_OTHER_VERSION;
            p->line_start = at;
            stop = nearest_stop(p, end);
            p->state = FIELD;
            __attribute__((fallthrough));

        case FIELD:
            if (at == stop)
                goto out;
            if (*at == '\r') {
                at++;
                p->state = END_LF;
                continue;
            }
            if (*at == ' ' || *at == '\t')
                return H1_FOLDED;
            p->token = at;
            p->unsafe = false;
            p->state = NAME;
            __attribute__((fallthrough));

        case NAME:
            for (;;) {
                at = skip_class(at, stop, CHAR_PLAIN);
                if (at == stop)
                    goto out;
                if (*at == ':')
                    break;
                if (!char_is(*at, CHAR_TOKEN))
                    return H1_BAD_NAME;
                p->unsafe = true;
                at++;
            }
            result = keep_name(p, at);
            if (result != H1_OK) {
                p->at = at;
                return result;
            }
            at++;
            p->state = BLANK;
            __attribute__((fallthrough));

        case BLANK:
            while (at < stop && (*at == ' ' || *at == '\t'))
                at++;
            if (at == stop)
                goto out;
            p->token = at;
            p->state = VALUE;
            __attribute__((fallthrough));

        case VALUE:
            at = chars_skip_value(at, stop);
            if (at == stop)
                goto out;
            if (*at != '\r')
                return H1_BAD_VALUE;
            keep_value(p, at);
            at++;
            p->state = VALUE_LF;
            __attribute__((fallthrough));

        case VALUE_LF:
            if (at == stop)
                goto out;
            if (*at++ != '\n')
                return H1_BAD_VALUE;
            p->line_start = at;
            stop = nearest_stop(p, end);
            p->state = FIELD;
            continue;

        case END_LF:
            if (at == stop)
                goto out;
            if (*at++ != '\n')
                return H1_BAD_LINE_END;
            p->at = at;
            return H1_OK;
        }
    }

out:
    p->at = at;
    return stopped(p, stop, end);
}
