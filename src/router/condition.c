/*
 * condition.c - preconditions in the order of RFC 9110, 13.2.2.
 *
 *   If-Match, else If-Unmodified-Since  -> 412
 *   If-None-Match, else If-Modified-Since -> 304
 *   If-Range: whether Range counts
 *
 * Our entity tags are strong, so strong and weak comparison differ only in what the client sent:
 * W/"x" never satisfies If-Match or If-Range and does satisfy If-None-Match.
 */
#include "router/condition.h"

#include "base/clock.h"

/* The next entity tag of a list.  false: none left, or what follows is no entity tag. */
static bool
next_tag(struct slice *rest, bool *ret_weak, struct slice *ret_tag)
{
    size_t i = 0, end;

    while (i < rest->n && (rest->p[i] == ' ' || rest->p[i] == '\t' || rest->p[i] == ','))
        i++;
    *ret_weak = i + 1 < rest->n && rest->p[i] == 'W' && rest->p[i + 1] == '/';
    if (*ret_weak)
        i += 2;
    if (i >= rest->n || rest->p[i] != '"')
        return false;
    end = slice_find(*rest, i + 1, '"');
    if (end >= rest->n)
        return false;
    *ret_tag = slice_sub(*rest, i, end + 1);
    *rest = slice_sub(*rest, end + 1, rest->n);
    return true;
}

static bool
list_has(struct slice list, struct slice etag, bool weak_counts)
{
    struct slice tag;
    bool weak;

    if (slice_eq(slice_trim(list), SLICE("*")))
        return true;
    while (next_tag(&list, &weak, &tag)) {
        if (slice_eq(tag, etag) && (weak_counts || !weak))
            return true;
    }
    return false;
}

/* -1: not a date (such a field is ignored); else whether modified is later than it. */
static int
later_than(struct slice date, time_t modified)
{
    time_t t;

    if (clock_http_parse(date.p, date.n, &t) < 0)
        return -1;
    return modified > t;
}

unsigned
condition_check(const struct conditions *c, const struct validators *v)
{
    if (c->if_match.p != NULL) {
        if (!list_has(c->if_match, v->etag, false))
            return 412;
    } else if (c->if_unmodified_since.p != NULL) {
        if (later_than(c->if_unmodified_since, v->modified) == 1)
            return 412;
    }
    if (c->if_none_match.p != NULL) {
        if (list_has(c->if_none_match, v->etag, true))
            return 304;
    } else if (c->if_modified_since.p != NULL) {
        if (later_than(c->if_modified_since, v->modified) == 0)
            return 304;
    }
    return 0;
}

bool
condition_range_holds(const struct conditions *c, const struct validators *v)
{
    struct slice value = slice_trim(c->if_range);
    time_t t;

    if (c->if_range.p == NULL)
        return true;
    if (value.n > 0 && value.p[0] == '"')
        return slice_eq(value, v->etag);
    if (value.n > 1 && value.p[0] == 'W' && value.p[1] == '/')
        return false;
    /* A date counts only when it is the very one that we sent (13.1.5). */
    if (clock_http_parse(value.p, value.n, &t) < 0)
        return false;
    return t == v->modified;
}
