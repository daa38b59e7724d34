/*
 * template.c - strings with variables, parsed once into parts.
 *
 *   $name     letters and '_': "$arg_id1" is ARG "id" followed by "1"
 *   ${name}   anything up to the brace, so that "${header_x-id}" and "${arg_id1}" can be asked for
 *
 * "$dollar" is text already here; neighbouring literals become one part.
 */
#include "conf/template.h"

#include <errno.h>

#include "conf/near.h"
#include "conf/utf8.h"

#define NAME_SHOWN 64 /* bytes of an unknown name in the sentence */

struct variable_row {
    struct slice name;
    bool family;
    const char *doc;
};

static const struct variable_row rows[VARIABLES] = {
#define VARIABLE(id, text, meaning) [VAR_##id] = {SLICE(text), false, meaning},
#define FAMILY(id, text, meaning)   [VAR_##id] = {SLICE(text), true, meaning},
#include "conf/variables.def"
#undef VARIABLE
#undef FAMILY
};

const char *
variable_name(enum variable id)
{
    return id == VAR_LITERAL ? "" : rows[id].name.p;
}

const char *
variable_doc(enum variable id)
{
    return id == VAR_LITERAL ? "" : rows[id].doc;
}

bool
variable_is_family(enum variable id)
{
    return rows[id].family;
}

/* Whole names win: "response_header_connection" is not RESPONSE_HEADER "connection". */
static bool
find_variable(struct slice name, struct template_part *ret_part)
{
    for (int id = VAR_LITERAL + 1; id < VARIABLES; id++) {
        if (!rows[id].family && slice_eq(rows[id].name, name)) {
            *ret_part = (struct template_part){.id = (enum variable)id};
            return true;
        }
    }
    for (int id = VAR_LITERAL + 1; id < VARIABLES; id++) {
        if (rows[id].family && name.n > rows[id].name.n && slice_starts(name, rows[id].name)) {
            *ret_part = (struct template_part){.id = (enum variable)id,
                                               .text = slice_sub(name, rows[id].name.n, name.n)};
            return true;
        }
    }
    return false;
}

static bool
is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* At the '$'; *at moves behind the variable. */
static int
scan_name(struct slice text, size_t *at, struct slice *ret_name, struct br_err *err)
{
    size_t from = *at + 1, to;
    bool brace = from < text.n && text.p[from] == '{';

    from += brace;
    if (brace) {
        to = slice_find(text, from, '}');
        if (to == text.n)
            return br_fail(err, -EBADMSG, "The \"${\" at byte %zu has no closing brace.", *at);
    } else {
        for (to = from; to < text.n && is_name_char(text.p[to]);)
            to++;
    }
    if (to == from)
        return br_fail(err, -EBADMSG,
                       "The \"$\" at byte %zu is not followed by the name of a variable; a dollar "
                       "sign is written \"$dollar\".",
                       *at);
    *ret_name = slice_sub(text, from, to);
    *at = to + brace;
    return 0;
}

static int
unknown_variable(struct slice name, struct br_err *err)
{
    const int shown = (int)utf8_cut(name.p, name.n, NAME_SHOWN);
    struct near near = near_begin(name);

    for (int id = VAR_LITERAL + 1; id < VARIABLES; id++) {
        if (!rows[id].family)
            near_offer(&near, rows[id].name);
    }
    if (near.best.p == NULL)
        return br_fail(err, -EBADMSG, "Unknown variable \"$" SLICE_FMT "\".", shown, name.p);
    return br_fail(err, -EBADMSG,
                   "Unknown variable \"$" SLICE_FMT "\"; did you mean \"$" SLICE_FMT "\"?", shown,
                   name.p, SLICE_ARG(near.best));
}

static int
parse_variable(struct slice text, size_t *at, struct template_part *ret_part, struct br_err *err)
{
    struct slice name = SLICE_NONE;
    int rc = scan_name(text, at, &name, err);

    if (rc < 0)
        return rc;
    if (slice_eq(name, SLICE("dollar"))) {
        *ret_part = (struct template_part){.id = VAR_LITERAL, .text = SLICE("$")};
        return 0;
    }
    return find_variable(name, ret_part) ? 0 : unknown_variable(name, err);
}

/* Literals that follow each other become one; only "$dollar" makes that need a copy. */
static int
add_part(struct arena *a, struct template *t, struct template_part part)
{
    struct template_part *last = t->n > 0 ? &t->parts[t->n - 1] : NULL;
    struct slice joined;
    char *room;

    if (part.id != VAR_LITERAL || last == NULL || last->id != VAR_LITERAL) {
        t->parts[t->n++] = part;
        return 0;
    }
    joined.n = last->text.n + part.text.n;
    room = arena_alloc(a, joined.n);
    if (room == NULL)
        return -ENOMEM;
    memcpy(room, last->text.p, last->text.n);
    memcpy(room + last->text.n, part.text.p, part.text.n);
    joined.p = room;
    last->text = joined;
    return 0;
}

static size_t
count_dollars(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '$';
    return n;
}

static bool
is_javascript(struct slice text)
{
    return text.n >= 2 && text.p[0] == '`' && text.p[text.n - 1] == '`';
}

static int
parse_parts(struct arena *a, struct template *t, struct br_err *err)
{
    struct slice text = t->text;
    size_t at = 0;

    while (at < text.n) {
        struct template_part part = {.id = VAR_LITERAL};
        size_t dollar = slice_find(text, at, '$');
        int rc = 0;

        if (dollar > at) {
            part.text = slice_sub(text, at, dollar);
            at = dollar;
        } else {
            rc = parse_variable(text, &at, &part, err);
        }
        if (rc == 0)
            rc = add_part(a, t, part);
        if (rc < 0)
            return rc;
        t->literal = t->literal && part.id == VAR_LITERAL;
    }
    return 0;
}

int
template_parse(struct arena *a, struct slice text, struct template **ret_template,
               struct br_err *err)
{
    struct template *t;
    int rc;

    if (is_javascript(text))
        return br_fail(err, -EBADMSG,
                       "JavaScript templates (in backticks) are not built into this server.");
    t = arena_new(a, struct template);
    if (t == NULL)
        return -ENOMEM;
    t->text = arena_dup(a, text);
    /* At most one literal before each '$', the variable itself, and one literal at the end. */
    t->parts = arena_array(a, struct template_part, 2 * count_dollars(text) + 1);
    if (t->text.p == NULL || t->parts == NULL)
        return -ENOMEM;
    t->literal = true;
    rc = parse_parts(a, t, err);
    if (rc == 0)
        *ret_template = t;
    return rc;
}

struct slice
template_literal(const struct template *t)
{
    return t->n == 0 ? SLICE("") : t->parts[0].text;
}
