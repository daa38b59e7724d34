/*
 * pattern_test.c - string patterns and sets of them.
 */
#include "conf/pattern.h"

#include <errno.h>

#include "fixture.h"

/* Does the set (texts separated by a space; "" is none) match? */
static bool
matches_as(struct arena *a, const char *set_text, const char *value, enum pattern_text how)
{
    struct slice texts[8], rest = slice_cstr(set_text);
    struct br_err err = BR_ERR_NONE;
    struct patterns *set;
    size_t n = 0, bad;

    if (rest.n == 0)
        rest = SLICE_NONE;
    while (slice_split(&rest, ' ', &texts[n]))
        n++;
    if (patterns_compile(a, texts, n, how, &set, &bad, &err) < 0)
        fail_msg("%s: %s", set_text, err.text);
    return patterns_match(set, slice_cstr(value));
}

static bool
matches(struct arena *a, const char *set_text, const char *value)
{
    return matches_as(a, set_text, value, PATTERN_VERBATIM);
}

struct match_case {
    const char *pattern;
    const char *hit; /* NULL: nothing */
    const char *miss;
};

static void
single_patterns(void **state)
{
    static const struct match_case cases[] = {
        {"/a", "/a", "/A"},
        {"/a", NULL, "/a/"},
        {"/a*", "/a", "/b"},
        {"/a*", "/a/b/c", "b/a"},
        {"*.js", "/x/y.js", ".jsx"},
        {"*.js", ".js", "js"},
        {"*b*", "abc", "ac"},
        {"*b*", "b", ""},
        {"a*b*c", "abc", "acb"},
        {"a*b*c", "axbxxc", "ac"},
        {"a*b*c", "abbcbc", "abcb"},
        {"*", "", NULL},
        {"*", "anything/at all", NULL},
        {"a*a", "aa", "a"},
        {"ab*ba", "abba", "aba"},
        {"*ab*ab*", "abab", "aab"},
        {"*a*b*", "xaxbx", "ba"},
        {"!/a", "/b", "/a"},
        {"!*x", "y", "yx"},
        {"!", "x", ""},
        {"~^/a+$", "/aaa", "/b"},
        {"~b", "abc", "ac"},
        {"~b", "b", "B"},
        {"!~b", "ac", "abc"},
        {"~", "", NULL},
        {"!~", NULL, "x"},
        {"~^[a-z]{2}\\d$", "ab1", "abc"},
        {"~a!b", "a!b", "ab"},
        {"a!b", "a!b", "b"},
        {"a~b", "a~b", "b"},
        {"!!a", "a", "!a"},
        {"~x*", "y", NULL},
        {"a.c", "a.c", "abc"},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        const struct match_case *c = &cases[i];

        if (c->hit != NULL && !matches(*state, c->pattern, c->hit))
            fail_msg("%s does not match \"%s\"", c->pattern, c->hit);
        if (c->miss != NULL && matches(*state, c->pattern, c->miss))
            fail_msg("%s matches \"%s\"", c->pattern, c->miss);
    }
}

static void
an_empty_pattern_wants_an_empty_value(void **state)
{
    struct slice empty = SLICE("");
    struct patterns *set;
    size_t bad;

    assert_int_equal(patterns_compile(*state, &empty, 1, PATTERN_VERBATIM, &set, &bad, NULL), 0);
    assert_true(patterns_match(set, SLICE("")));
    assert_true(patterns_match(set, SLICE_NONE));
    assert_false(patterns_match(set, SLICE("x")));
}

static void
a_set_wants_one_hit_and_no_negated_one(void **state)
{
    assert_true(matches(*state, "/a* /b*", "/bx"));
    assert_false(matches(*state, "/a* /b*", "/c"));
    assert_true(matches(*state, "/a* !/ab*", "/ac"));
    assert_false(matches(*state, "/a* !/ab*", "/abc"));
    assert_false(matches(*state, "!/ab* /a*", "/abc"));
    assert_true(matches(*state, "!/a !/b", "/c"));
    assert_false(matches(*state, "!/a !/b", "/b"));
    assert_true(matches(*state, "!/a ~c$", "/bc"));
    assert_false(matches(*state, "!/a ~c$", "/b"));
}

static void
no_patterns_match_everything(void **state)
{
    assert_true(matches(*state, "", ""));
    assert_true(matches(*state, "", "x"));
}

static void
literal_text_is_folded(void **state)
{
    assert_true(matches_as(*state, "*.Example.COM", "www.example.com", PATTERN_LOWER));
    assert_true(matches_as(*state, "get", "GET", PATTERN_UPPER));
    assert_true(matches_as(*state, "m-search", "M-SEARCH", PATTERN_UPPER));
    assert_true(matches_as(*state, "!p*t", "GET", PATTERN_UPPER));
    /* The class and the escape of a regular expression mean what they say. */
    assert_true(matches_as(*state, "~^\\D+$", "abc", PATTERN_LOWER));
    assert_false(matches_as(*state, "~^GET$", "get", PATTERN_LOWER));
}

static void
percent_encoding_makes_literal_characters(void **state)
{
    assert_true(matches_as(*state, "/a%20b", "/a b", PATTERN_DECODED));
    assert_true(matches_as(*state, "/%2A", "/*", PATTERN_DECODED));
    assert_false(matches_as(*state, "/%2A", "/x", PATTERN_DECODED));
    assert_true(matches_as(*state, "%21x*", "!xy", PATTERN_DECODED));
    assert_true(matches_as(*state, "%7ex", "~x", PATTERN_DECODED));
    assert_true(matches_as(*state, "%2a%2A", "**", PATTERN_DECODED));
    assert_true(matches_as(*state, "a+b", "a+b", PATTERN_DECODED));
    assert_true(matches_as(*state, "~^100%$", "100%", PATTERN_DECODED));
    assert_true(matches_as(*state, "100%", "100%", PATTERN_VERBATIM));
}

static void
values_may_hold_any_byte(void **state)
{
    struct slice star = SLICE("a*z"), regex = SLICE("~^a.b\xff$");
    struct patterns *set;
    size_t bad;

    assert_int_equal(patterns_compile(*state, &star, 1, PATTERN_VERBATIM, &set, &bad, NULL), 0);
    assert_true(patterns_match(set, SLICE("a\0\xff\nz")));
    assert_int_equal(patterns_compile(*state, &regex, 1, PATTERN_VERBATIM, &set, &bad, NULL), 0);
    assert_true(patterns_match(set, SLICE("a\0b\xff")));
}

static void
bad_patterns_are_refused_by_number(void **state)
{
    static const struct {
        struct slice text;
        const char *says;
    } cases[] = {
        {SLICE("a**b"), "**"},      {SLICE("!**"), "**"},     {SLICE("~("), "at byte 1"},
        {SLICE("!~[a"), "regular"}, {SLICE("/a%2"), "\"%\""}, {SLICE("/%zz*"), "\"%\""},
        {SLICE("%*20"), "\"%\""},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct slice texts[] = {SLICE("/fine*"), cases[i].text};
        struct br_err err = BR_ERR_NONE;
        struct patterns *set;
        size_t bad = 99;

        assert_int_equal(patterns_compile(*state, texts, 2, PATTERN_DECODED, &set, &bad, &err),
                         -EBADMSG);
        assert_int_equal(bad, 1);
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("\"%s\" does not say %s", err.text, cases[i].says);
    }
}

/* (a+)+$ on a run of a and a b takes 2^n steps: the match is given up, and decides against. */
static void
a_regex_that_explodes_is_given_up(void **state)
{
    static const char value[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";

    assert_false(matches(*state, "~^(a+)+$", value));
    assert_false(matches(*state, "!~^(a+)+$", value));
    assert_true(matches(*state, "!~^(a+)+$", "b"));
}

/* More than the stack of the JIT holds is no reason to miss. */
static void
a_long_value_is_matched(void **state)
{
    char value[8001];

    memset(value, 'a', sizeof value);
    value[sizeof value - 1] = '\0';
    assert_true(matches(*state, "~^(?:(a)|(b))*$", value));
    value[7000] = 'c';
    assert_false(matches(*state, "~^(?:(a)|(b))*$", value));
    assert_true(matches(*state, "!~^(?:(a)|(b))*$", value));
}

/* The stars are checked against the textbook definition on all short texts of two letters. */
static bool
naive(const char *p, const char *v)
{
    if (*p == '\0')
        return *v == '\0';
    if (*p == '*')
        return naive(p + 1, v) || (*v != '\0' && naive(p, v + 1));
    return *p == *v && naive(p + 1, v + 1);
}

static void
spell(unsigned number, const char *letters, unsigned base, char *ret_text)
{
    while (number > 0) {
        number--;
        *ret_text++ = letters[number % base];
        number /= base;
    }
    *ret_text = '\0';
}

static void
stars_agree_with_the_definition(void **state)
{
    for (unsigned i = 0; i < 364; i++) { /* all of up to five letters of three */
        char pattern[8], value[8];
        struct patterns *set;
        struct slice text;
        size_t bad;

        spell(i, "ab*", 3, pattern);
        if (strstr(pattern, "**") != NULL)
            continue;
        text = slice_cstr(pattern);
        assert_int_equal(patterns_compile(*state, &text, 1, PATTERN_VERBATIM, &set, &bad, NULL), 0);
        for (unsigned k = 0; k < 127; k++) { /* all of up to six letters of two */
            spell(k, "ab", 2, value);
            if (patterns_match(set, slice_cstr(value)) != naive(pattern, value))
                fail_msg("%s and %s", pattern, value);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(single_patterns),
        arena_test(an_empty_pattern_wants_an_empty_value),
        arena_test(a_set_wants_one_hit_and_no_negated_one),
        arena_test(no_patterns_match_everything),
        arena_test(literal_text_is_folded),
        arena_test(percent_encoding_makes_literal_characters),
        arena_test(values_may_hold_any_byte),
        arena_test(bad_patterns_are_refused_by_number),
        arena_test(a_regex_that_explodes_is_given_up),
        arena_test(a_long_value_is_matched),
        arena_test(stars_agree_with_the_definition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
