/*
 * message.c - the bytes of a request.
 */
#include "interp/message.h"

#include <errno.h>

#include "interp/wire.h"

bool
message_string(struct slice *rest, struct slice *ret)
{
    size_t n = slice_find(*rest, 0, '\0');

    if (n == rest->n)
        return false;
    *ret = slice_sub(*rest, 0, n);
    *rest = slice_sub(*rest, n + 1, rest->n);
    return true;
}

/* The strings before the next empty one, which is passed over.  false: there is none. */
static bool
strings(struct slice *rest, struct slice *ret)
{
    struct slice from = *rest, one;

    while (message_string(rest, &one))
        if (one.n == 0) {
            *ret = slice_sub(from, 0, (size_t)(one.p - from.p));
            return true;
        }
    return false;
}

static bool
all_are_entries(struct slice strings_, struct slice *ret_bad)
{
    while (message_string(&strings_, ret_bad))
        if (slice_find(*ret_bad, 0, '=') == ret_bad->n)
            return false;
    return true;
}

static enum message_progress
bad(struct br_err *err, const char *what)
{
    br_fail(err, -EBADMSG, "%s", what);
    return MESSAGE_BAD;
}

static enum message_progress
cut(struct slice text, struct message_parts *ret, struct br_err *err)
{
    struct slice one;

    if (text.n == 0 || text.p[text.n - 1] != '\0')
        return bad(err, "the message does not end in NUL");
    ret->attributes = SLICE_NONE;
    if (ret->extended && !strings(&text, &ret->attributes))
        return bad(err, "no empty string behind the attributes");
    if (!strings(&text, &ret->environment))
        return bad(err, "no empty string behind the environment");
    if (!all_are_entries(ret->attributes, &one) || !all_are_entries(ret->environment, &one))
        return bad(err, "an entry without '='");
    ret->arguments = text;
    return MESSAGE_WHOLE;
}

enum message_progress
message_scan(struct slice in, struct message_parts *ret, struct br_err *err)
{
    size_t at, length;

    if (in.n == 0)
        return MESSAGE_MORE;
    if (in.p[0] == WIRE_QUERY)
        return MESSAGE_QUERY;
    if (in.p[0] != WIRE_PLAIN && in.p[0] != WIRE_EXTENDED)
        return bad(err, "unknown signalling byte");
    ret->extended = in.p[0] == WIRE_EXTENDED;
    ret->n_fds = 3;
    at = 1;
    if (ret->extended) {
        if (in.n < 2)
            return MESSAGE_MORE;
        ret->n_fds = (uint8_t)in.p[1];
        at = 2;
        if (ret->n_fds < 3 || ret->n_fds > WIRE_FDS_MAX)
            return bad(err, "number of descriptors out of range");
    }
    at += ret->n_fds;
    if (in.n < at + 4)
        return MESSAGE_MORE;
    length = wire_u32(in.p + at);
    if (length > WIRE_MESSAGE_MAX)
        return bad(err, "the message is longer than 64 MiB");
    if (in.n < at + 4 + length)
        return MESSAGE_MORE;
    ret->bytes = at + 4 + length;
    return cut(slice_sub(in, at + 4, ret->bytes), ret, err);
}

/* What is left behind the words, if all of them stand there. */
static struct slice
without(struct slice arguments, const char *const *words, size_t n_words)
{
    struct slice rest = arguments, one;

    for (size_t i = 0; i < n_words; i++)
        if (!message_string(&rest, &one) || !slice_eq(one, slice_cstr(words[i])))
            return arguments;
    return rest;
}

/* A variable of ours in a caller's environment would start a server in the service's children. */
static void
put_environment(struct slice environment, struct buf *to)
{
    static const struct slice ours = {"PREFORK_INTERP=", 15};
    struct slice one;

    while (message_string(&environment, &one)) {
        if (slice_starts(one, ours))
            continue;
        buf_put(to, one);
        buf_putc(to, '\0');
    }
}

void
message_for_executor(const struct message_parts *parts, const char *const *words, size_t n_words,
                     struct buf *to)
{
    struct slice arguments = parts->arguments;

    if (!parts->extended)
        arguments = without(arguments, words, n_words);
    buf_put(to, parts->attributes);
    buf_putc(to, '\0');
    put_environment(parts->environment, to);
    buf_putc(to, '\0');
    buf_put(to, arguments);
}
