/*
 * fuzz_template.c - any bytes as a string with variables, and as a destination.
 *
 * Parts are never two literals in a row nor empty ones; a text without '$' is one literal, itself.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>

#include "conf/pass.h"
#include "conf/template.h"

static void
must(bool truth)
{
    if (!truth)
        abort();
}

static void
check_parts(const struct template *t, struct slice text)
{
    bool literal = true;

    must(slice_eq(t->text, text));
    for (size_t i = 0; i < t->n; i++) {
        const struct template_part *part = &t->parts[i];

        must(part->id < VARIABLES);
        if (part->id != VAR_LITERAL) {
            must((part->text.n > 0) == variable_is_family(part->id));
            literal = false;
            continue;
        }
        must(part->text.n > 0);
        must(i == 0 || t->parts[i - 1].id != VAR_LITERAL);
    }
    must(t->literal == literal);
    must(!literal || t->n <= 1);
    if (slice_find(text, 0, '$') == text.n)
        must(slice_eq(template_literal(t), text));
}

static void
check_pass(struct slice text)
{
    char room[PASS_TEXT_MAX];
    struct br_err err = BR_ERR_NONE;
    struct pass to;
    int rc = pass_parse(text, room, &to, &err);

    must(rc == 0 ? err.text[0] == '\0' : rc == -EBADMSG && err.text[0] != '\0');
    if (rc == 0)
        must((to.kind == PASS_ROUTES) == (to.name.n == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = slice_make((const char *)data, n);
    struct br_err err = BR_ERR_NONE;
    struct template *t = NULL;
    struct arena a;
    int rc;

    arena_init(&a, 0);
    rc = template_parse(&a, text, &t, &err);
    must(rc == 0 ? err.text[0] == '\0' : rc == -EBADMSG && err.text[0] != '\0');
    if (rc == 0)
        check_parts(t, text);
    check_pass(text);
    arena_done(&a);
    return 0;
}
