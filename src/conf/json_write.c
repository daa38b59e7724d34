/*
 * json_write.c - a tree as text.
 *
 *   {CRLF  TAB "a": {CRLF  TAB TAB "b": 1CRLF  TAB },CRLF  CRLF  TAB "c": []CRLF  }CRLF
 *
 * Escapes: \\ \" \n \r \t \b \f, other control bytes as \u00XX with upper-case digits; '/' and
 * what is not ASCII stand as they are (control-api, 4).
 */
#include "conf/json_write.h"

/* How containers are laid out. */
struct layout {
    struct buf *b;
    bool compact;
};

static void
put_escaped(struct buf *b, unsigned char c)
{
    static const char codes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *hit = memchr(codes, c, sizeof codes - 1);

    if (hit == NULL) {
        buf_printf(b, "\\u%04X", c);
        return;
    }
    buf_putc(b, '\\');
    buf_putc(b, letters[hit - codes]);
}

int
json_write_string(struct buf *b, struct slice text)
{
    size_t from = 0;

    buf_putc(b, '"');
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_append(b, text.p + from, i - from);
        put_escaped(b, c);
        from = i + 1;
    }
    if (from < text.n)
        buf_append(b, text.p + from, text.n - from);
    buf_putc(b, '"');
    return b->error;
}

static bool
is_full_container(const struct json *value)
{
    return (value->type == JSON_ARRAY || value->type == JSON_OBJECT) && value->n > 0;
}

static void
put_line(struct layout *to, unsigned level)
{
    if (to->compact)
        return;
    buf_puts(to->b, "\r\n");
    while (level-- > 0)
        buf_putc(to->b, '\t');
}

static void put_value(struct layout *to, const struct json *value, unsigned level);

static void
put_children(struct layout *to, const struct json *container, unsigned level)
{
    json_foreach(child, container)
    {
        put_line(to, level + 1);
        if (container->type == JSON_OBJECT) {
            json_write_string(to->b, child->name);
            buf_puts(to->b, to->compact ? ":" : ": ");
        }
        put_value(to, child, level + 1);
        if (child->next == NULL)
            break;
        buf_putc(to->b, ',');
        if (container->type == JSON_OBJECT && is_full_container(child) && !to->compact)
            buf_puts(to->b, "\r\n");
    }
    put_line(to, level);
}

static void
put_container(struct layout *to, const struct json *value, unsigned level)
{
    bool array = value->type == JSON_ARRAY;

    buf_putc(to->b, array ? '[' : '{');
    if (value->n > 0)
        put_children(to, value, level);
    buf_putc(to->b, array ? ']' : '}');
}

static void
put_value(struct layout *to, const struct json *value, unsigned level)
{
    switch (value->type) {
    case JSON_NULL:
        buf_puts(to->b, "null");
        break;
    case JSON_BOOL:
        buf_puts(to->b, value->truth ? "true" : "false");
        break;
    case JSON_NUMBER:
        buf_put(to->b, value->text);
        break;
    case JSON_STRING:
        json_write_string(to->b, value->text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        put_container(to, value, level);
        break;
    }
}

int
json_write(struct buf *b, const struct json *root)
{
    struct layout to = {.b = b};

    put_value(&to, root, 0);
    buf_puts(b, "\r\n");
    return b->error;
}

int
json_write_compact(struct buf *b, const struct json *root)
{
    struct layout to = {.b = b, .compact = true};

    put_value(&to, root, 0);
    return b->error;
}
