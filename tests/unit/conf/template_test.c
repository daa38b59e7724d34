/*
 * template_test.c - strings with variables, parsed to parts.
 */
#include "conf/template.h"

#include <errno.h>

#include "fixture.h"

/* The parts as a line: text as it stands, variables as <name> or <prefix NAME>. */
static const char *
parts_of(struct arena *a, const char *text)
{
    struct br_err err = BR_ERR_NONE;
    struct template *t = NULL;
    const char *line = "";

    if (template_parse(a, slice_cstr(text), &t, &err) < 0)
        return arena_printf(a, "refused: %s", err.text);
    for (size_t i = 0; i < t->n; i++) {
        const struct template_part *part = &t->parts[i];

        if (part->id == VAR_LITERAL)
            line = arena_printf(a, "%s|" SLICE_FMT, line, SLICE_ARG(part->text));
        else
            line = arena_printf(a, "%s|<%s" SLICE_FMT ">", line, variable_name(part->id),
                                SLICE_ARG(part->text));
    }
    return line;
}

static void
text_and_variables_alternate(void **state)
{
    assert_string_equal(parts_of(*state, "/www$uri"), "|/www|<uri>");
    assert_string_equal(parts_of(*state, "$host$uri"), "|<host>|<uri>");
    assert_string_equal(parts_of(*state, "a${method}b${status}c"), "|a|<method>|b|<status>|c");
    assert_string_equal(parts_of(*state, "plain"), "|plain");
    assert_string_equal(parts_of(*state, ""), "");
}

static void
a_name_ends_where_letters_do(void **state)
{
    assert_string_equal(parts_of(*state, "$arg_id1"), "|<arg_id>|1");
    assert_string_equal(parts_of(*state, "$uri-x"), "|<uri>|-x");
    assert_string_equal(parts_of(*state, "$uri/$host."), "|<uri>|/|<host>|.");
    assert_string_equal(parts_of(*state, "${uri}x"), "|<uri>|x");
}

static void
families_keep_the_name(void **state)
{
    assert_string_equal(parts_of(*state, "$header_user_agent"), "|<header_user_agent>");
    assert_string_equal(parts_of(*state, "$cookie_Id"), "|<cookie_Id>");
    assert_string_equal(parts_of(*state, "${arg_id1}"), "|<arg_id1>");
    assert_string_equal(parts_of(*state, "${header_x-id}"), "|<header_x-id>");
}

static void
a_whole_name_wins_over_a_family(void **state)
{
    struct template *t;

    assert_int_equal(template_parse(*state, SLICE("$response_header_connection"), &t, NULL), 0);
    assert_int_equal(t->parts[0].id, VAR_RESPONSE_CONNECTION);
    assert_int_equal(t->parts[0].text.n, 0);
    assert_int_equal(template_parse(*state, SLICE("$response_header_connections"), &t, NULL), 0);
    assert_int_equal(t->parts[0].id, VAR_RESPONSE_HEADER);
    assert_slice_equal(t->parts[0].text, "connections");
}

static void
a_dollar_is_text(void **state)
{
    struct template *t;

    assert_string_equal(parts_of(*state, "${dollar}5"), "|$5");
    assert_string_equal(parts_of(*state, "a$dollar$dollar-b"), "|a$$-b");
    assert_int_equal(template_parse(*state, SLICE("1$dollar"), &t, NULL), 0);
    assert_true(t->literal);
    assert_slice_equal(template_literal(t), "1$");
    assert_slice_equal(t->text, "1$dollar");
}

static void
only_text_is_literal(void **state)
{
    struct template *t;

    assert_int_equal(template_parse(*state, SLICE(""), &t, NULL), 0);
    assert_true(t->literal);
    assert_slice_equal(template_literal(t), "");
    assert_int_equal(template_parse(*state, SLICE("x$uri"), &t, NULL), 0);
    assert_false(t->literal);
}

static void
faults_are_named(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"$", "at byte 0 is not followed"},
        {"ab$", "at byte 2 is not followed"},
        {"$$uri", "at byte 0 is not followed"},
        {"$1", "is not followed"},
        {"x$-", "at byte 1 is not followed"},
        {"${", "no closing brace"},
        {"a${uri", "at byte 1 has no closing"},
        {"${}", "is not followed"},
        {"$nothing", "variable \"$nothing\""},
        {"$URI", "variable \"$URI\""},
        {"$arg_", "variable \"$arg_\""},
        {"${uri }", "variable \"$uri \""},
        {"`x`", "JavaScript"},
        {"``", "JavaScript"},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        const char *got = parts_of(*state, cases[i].text);

        if (strncmp(got, "refused: ", 9) != 0 || strstr(got, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, got);
    }
    assert_string_equal(parts_of(*state, "`"), "|`");
    assert_string_equal(parts_of(*state, "`a`b"), "|`a`b");
}

static void
every_variable_can_be_asked_for(void **state)
{
    for (int id = VAR_LITERAL + 1; id < VARIABLES; id++) {
        const char *name = variable_name((enum variable)id);
        const char *ask =
            arena_printf(*state, "$%s%s", name, variable_is_family((enum variable)id) ? "x" : "");
        struct template *t = NULL;

        assert_int_equal(template_parse(*state, slice_cstr(ask), &t, NULL), 0);
        assert_int_equal(t->parts[0].id, id);
        assert_true(strlen(variable_doc((enum variable)id)) > 0);
    }
}

static void
the_text_is_copied(void **state)
{
    char text[] = "a$uri";
    struct template *t;

    assert_int_equal(template_parse(*state, slice_cstr(text), &t, NULL), 0);
    memset(text, 'z', sizeof text - 1);
    assert_slice_equal(t->parts[0].text, "a");
    assert_slice_equal(t->text, "a$uri");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(text_and_variables_alternate),
        arena_test(a_name_ends_where_letters_do),
        arena_test(families_keep_the_name),
        arena_test(a_whole_name_wins_over_a_family),
        arena_test(a_dollar_is_text),
        arena_test(only_text_is_literal),
        arena_test(faults_are_named),
        arena_test(every_variable_can_be_asked_for),
        arena_test(the_text_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
