/*
 * options_test.c - the table is consistent in itself, and its walks find what they should.
 */
#include "conf/options.h"

#include <stdio.h>

#include "conf/generation.h"

#include "fixture.h"

static struct slice
parent_path(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slice_make(path, slash != NULL ? (size_t)(slash - path) : 0);
}

static bool
stands_before(const struct option *opt, struct slice path)
{
    for (const struct option *o = options; o < opt; o++) {
        if (slice_eq(slice_cstr(o->path), path))
            return true;
    }
    return false;
}

static void
parents_stand_before_their_members(void **state)
{
    (void)state;
    for (size_t i = 1; i < n_options; i++) {
        if (!stands_before(&options[i], parent_path(options[i].path)))
            fail_msg("%s has no parent above it", options[i].path);
    }
}

static bool
share_a_language(const struct option *a, const struct option *b)
{
    const char *words = a->only;
    struct slice w;

    while ((w = option_next_word(&words)).p != NULL) {
        if (option_is_of(b, w))
            return true;
    }
    return a->only == NULL;
}

/* A path may stand twice for different languages; then the first one has the members. */
static void
no_option_stands_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_options; i++) {
        for (size_t j = i + 1; j < n_options; j++) {
            if (strcmp(options[i].path, options[j].path) != 0)
                continue;
            if (options[j].only == NULL || share_a_language(&options[i], &options[j]))
                fail_msg("%s stands twice", options[i].path);
            assert_null(option_next_child(&options[j], NULL));
        }
    }
}

/* The members that a row names in its other columns are there. */
static void
neighbours_are_there(void **state)
{
    (void)state;
    for (size_t i = 1; i < n_options; i++) {
        const struct option *o = &options[i];
        const char *beside[] = {o->with, o->unless}, *members = o->one_of;
        struct slice w;

        for (size_t k = 0; k < array_len(beside); k++) {
            if (beside[k] != NULL &&
                option_find(arena_printf(*state, SLICE_FMT "/%s", SLICE_ARG(parent_path(o->path)),
                                         beside[k])) == NULL)
                fail_msg("%s has no \"%s\" beside it", o->path, beside[k]);
        }
        while ((w = option_next_word(&members)).p != NULL) {
            if (option_child(o, w, SLICE_NONE) == NULL)
                fail_msg("%s has no member \"" SLICE_FMT "\"", o->path, SLICE_ARG(w));
        }
    }
}

/* It is said once, where it begins, and nothing below it is set. */
static void
what_is_absent_is_absent_as_a_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_options; i++) {
        const struct option *o = &options[i];

        if (option_absent(o) == NULL)
            continue;
        assert_int_equal(o->set.how, SET_NOTHING);
        assert_false(o->entity);
        for (const struct option *m = NULL; (m = option_next_child(o, m)) != NULL;) {
            assert_null(m->absent);
            assert_ptr_equal(option_absent(m), option_absent(o));
        }
    }
    assert_null(option_absent(option_find("")));
    assert_null(option_absent(option_find("applications/*/module")));
    assert_string_equal(option_absent(option_find("listeners/*/tls/session/timeout")), "TLS");
}

static void
words_are_taken_one_after_the_other(void **state)
{
    const char *rest = "one two";

    (void)state;
    assert_slice_equal(option_next_word(&rest), "one");
    assert_slice_equal(option_next_word(&rest), "two");
    assert_null(option_next_word(&rest).p);
    assert_true(option_has_word("one two", SLICE("two")));
    assert_false(option_has_word("one two", SLICE("tw")));
    assert_false(option_has_word("one two", SLICE("one two")));
    assert_false(option_has_word("", SLICE("")));
    assert_false(option_has_word(NULL, SLICE("one")));
}

static unsigned
types_of_default(struct arena *a, const char *def)
{
    struct json *value = tree_of(a, def);

    switch (value->type) {
    case JSON_BOOL:
        return T_BOOL;
    case JSON_NUMBER:
        return T_INTEGER | T_NUMBER;
    case JSON_STRING:
        return T_STRING | T_STRINGS;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return 0;
}

/* Does an option that it is part of take it along: uidmap has no place for its ranges' members. */
static bool
is_set_above(const struct option *o)
{
    char path[256];
    char *slash;

    assert_true(snprintf(path, sizeof(path), "%s", o->path) < (int)sizeof(path));
    while ((slash = strrchr(path, '/')) != NULL) {
        *slash = '\0';
        if (option_find(path)->set.how != SET_NOTHING)
            return true;
    }
    return false;
}

static void
defaults_are_of_their_option_s_type_and_range(void **state)
{
    for (size_t i = 0; i < n_options; i++) {
        const struct option *o = &options[i];
        int64_t number;

        if (o->def == NULL)
            continue;
        if (!(types_of_default(*state, o->def) & o->types))
            fail_msg("the default of %s has another type", o->path);
        assert_false(o->required);
        assert_true(o->set.how != SET_NOTHING || is_set_above(o) || option_absent(o) != NULL);
        if (json_integer(tree_of(*state, o->def), &number) == 0 &&
            (number < o->min || number > o->max))
            fail_msg("the default of %s is out of its range", o->path);
    }
}

static void
numbers_have_a_range_and_all_have_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_options; i++) {
        const struct option *o = &options[i];
        size_t n = strlen(o->doc);

        if ((o->types & (T_INTEGER | T_NUMBER)) && o->min >= o->max)
            fail_msg("%s has no range", o->path);
        if (o->set.how == SET_INT32 && (o->min < INT32_MIN || o->max > INT32_MAX))
            fail_msg("%s does not fit its place", o->path);
        if (n == 0 || o->doc[n - 1] != '.')
            fail_msg("%s has no sentence", o->path);
        assert_true(o->types != 0);
        assert_true(strlen(option_live_text(o->live)) > 0);
        if (o->like != NULL)
            assert_non_null(option_find(o->like));
    }
}

/* An option that takes a value has a place for it, or members that have. */
static void
no_option_is_ignored(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_options; i++) {
        const struct option *o = &options[i];

        if (o->types & ~(unsigned)(T_OBJECT | T_ARRAY) && o->set.how == SET_NOTHING &&
            !is_set_above(o) && option_absent(o) == NULL)
            fail_msg("%s goes nowhere", o->path);
    }
}

static const char *
child_path(const char *parent, const char *name, const char *language)
{
    const struct option *o =
        option_child(option_find(parent), slice_cstr(name), slice_cstr(language));

    return o != NULL ? o->path : "none";
}

static void
members_are_found(void **state)
{
    (void)state;
    assert_string_equal(child_path("", "listeners", ""), "listeners");
    assert_string_equal(child_path("listeners", "*:80", ""), "listeners/*");
    assert_string_equal(child_path("listeners/*", "pass", ""), "listeners/*/pass");
    assert_string_equal(child_path("listeners/*", "pas", ""), "none");
    assert_string_equal(child_path("listeners/*/pass", "x", ""), "none");
    assert_string_equal(child_path("routes/*/action/fallback", "share", ""),
                        "routes/*/action/share");
    assert_string_equal(child_path("applications/*", "module", "python"), "applications/*/module");
    assert_string_equal(child_path("applications/*", "module", "ruby"), "none");
    assert_string_equal(child_path("applications/*", "targets", "php"), "applications/*/targets");
    assert_string_equal(child_path("applications/*", "executable", "go"),
                        "applications/*/executable");
    assert_int_equal(
        option_child(option_find("applications/*"), SLICE("options"), SLICE("php"))->types,
        T_OBJECT);
    assert_int_equal(
        option_child(option_find("applications/*"), SLICE("options"), SLICE("java"))->types,
        T_TEXTS);
    assert_string_equal(child_path("applications/*", "user", "ruby"), "applications/*/user");
    assert_null(option_find("nothing"));
    assert_null(option_find("listener"));
}

static const char *
near_name(const char *parent, const char *name)
{
    const struct option *o = option_near(option_find(parent), slice_cstr(name), SLICE("python"));

    return o != NULL ? option_name(o) : "none";
}

static void
typing_mistakes_are_recognised(void **state)
{
    char longest[100];

    (void)state;
    assert_string_equal(near_name("", "listener"), "listeners");
    assert_string_equal(near_name("", "lisetners"), "listeners");
    assert_string_equal(near_name("routes/*/action", "retrun"), "return");
    assert_string_equal(near_name("routes/*/action", "pas"), "pass");
    assert_string_equal(near_name("applications/*", "Module"), "module");
    assert_string_equal(near_name("applications/*", "ur"), "none");
    assert_string_equal(near_name("settings", "x"), "none");
    assert_string_equal(near_name("settings/http", "completely_different"), "none");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(near_name("", longest), "none");
}

static void
types_are_told_in_words(void **state)
{
    char text[128];

    (void)state;
    option_types_text(option_find("applications/*/processes"), text, sizeof text);
    assert_string_equal(text, "an integer number or an object");
    option_types_text(option_find("routes/*/match/uri"), text, sizeof text);
    assert_string_equal(text, "a string or an array of strings");
}

static void
the_manual_has_every_option(void **state)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    assert_int_equal(options_manual(&b), 0);
    for (size_t i = 0; i < n_options; i++) {
        const char *head =
            arena_printf(*state, "## `/%s`\n\n%s\n", options[i].path, options[i].doc);

        if (memmem(b.p, b.n, head, strlen(head)) == NULL)
            fail_msg("%s is missing", options[i].path);
    }
    buf_done(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parents_stand_before_their_members),
        cmocka_unit_test(no_option_stands_twice),
        arena_test(neighbours_are_there),
        cmocka_unit_test(what_is_absent_is_absent_as_a_whole),
        cmocka_unit_test(words_are_taken_one_after_the_other),
        arena_test(defaults_are_of_their_option_s_type_and_range),
        cmocka_unit_test(numbers_have_a_range_and_all_have_a_sentence),
        cmocka_unit_test(no_option_is_ignored),
        cmocka_unit_test(members_are_found),
        cmocka_unit_test(typing_mistakes_are_recognised),
        cmocka_unit_test(types_are_told_in_words),
        arena_test(the_manual_has_every_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
