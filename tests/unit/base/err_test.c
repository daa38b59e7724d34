/*
 * err_test.c - sentences that grow on their way up.
 */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void
the_first_sentence_is_followed_by_the_number_in_words(void **state)
{
    struct br_err err = BR_ERR_NONE;

    (void)state;
    assert_int_equal(br_fail(&err, -ENOENT, "cannot open \"%s\"", "x"), -ENOENT);
    assert_int_equal(err.rc, -ENOENT);
    assert_string_equal(err.text, "cannot open \"x\": No such file or directory");
}

static void
later_sentences_go_in_front(void **state)
{
    struct br_err err = BR_ERR_NONE;

    (void)state;
    br_fail(&err, -ENOENT, "cannot open \"x\"");
    assert_int_equal(br_fail(&err, -EIO, "no pid file"), -EIO);
    br_fail(&err, -EIO, "cannot start");
    assert_int_equal(err.rc, -ENOENT);
    assert_string_equal(err.text,
                        "cannot start: no pid file: cannot open \"x\": No such file or directory");
}

static void
a_bad_message_needs_no_words_of_the_system(void **state)
{
    struct br_err err = BR_ERR_NONE;

    (void)state;
    br_fail(&err, -EBADMSG, "port 0 is not a port");
    assert_string_equal(err.text, "port 0 is not a port");
    br_fail(&err, -EBADMSG, "listener");
    assert_string_equal(err.text, "listener: port 0 is not a port");
}

static void
nobody_need_listen(void **state)
{
    (void)state;
    assert_int_equal(br_fail(NULL, -EPERM, "%s", "unheard"), -EPERM);
}

static void
too_long_is_cut_at_the_end(void **state)
{
    struct br_err err = BR_ERR_NONE;
    char text[2000];

    (void)state;
    memset(text, 'y', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    br_fail(&err, -EBADMSG, "%s", text);
    br_fail(&err, -EBADMSG, "first");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "first: yyy", 10);
}

static void
a_sentence_may_quote_the_one_before(void **state)
{
    struct br_err err = BR_ERR_NONE;

    (void)state;
    br_fail(&err, -EBADMSG, "inner");
    br_fail(&err, -EBADMSG, "<%s>", err.text);
    assert_string_equal(err.text, "<inner>: inner");
}

static void
an_unknown_number_is_named_so(void **state)
{
    struct br_err err = BR_ERR_NONE;

    (void)state;
    br_fail(&err, -4000, "odd");
    assert_string_equal(err.text, "odd: unknown error");
    br_err_clear(&err);
    assert_int_equal(err.rc, 0);
    assert_string_equal(err.text, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sentence_is_followed_by_the_number_in_words),
        cmocka_unit_test(later_sentences_go_in_front),
        cmocka_unit_test(a_bad_message_needs_no_words_of_the_system),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(too_long_is_cut_at_the_end),
        cmocka_unit_test(a_sentence_may_quote_the_one_before),
        cmocka_unit_test(an_unknown_number_is_named_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
