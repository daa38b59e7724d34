/*
 * address_test.c - names of listeners.
 */
#include "conf/address.h"

#include <errno.h>

#include "fixture.h"

static void
addresses_are_accepted(void **state)
{
    static const char *const good[] = {
        "127.0.0.1:80",
        "0.0.0.0:65535",
        "*:1",
        "[::1]:80",
        "[::]:8080",
        "[2001:db8::1]:443",
        "[::ffff:1.2.3.4]:80",
        "unix:/run/a.sock",
        "unix:relative",
        "unix:@name",
    };

    (void)state;
    for (size_t i = 0; i < array_len(good); i++) {
        struct br_err err = BR_ERR_NONE;

        if (address_check(slice_cstr(good[i]), &err) != 0)
            fail_msg("%s: %s", good[i], err.text);
    }
}

static void
other_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "*",
        ":80",
        "80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.1:80",
        "*:0",
        "*:65536",
        "*:080",
        "*:+80",
        "*:80-90",
        "*: 80",
        "*:80 ",
        " *:80",
        "*:http",
        "localhost:80",
        "eth0:80",
        "[::1]",
        "[::1]:",
        "::1:80",
        "[::1:80",
        "[127.0.0.1]:80",
        "[]:80",
        "[::1]x:80",
        "256.0.0.1:80",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "01.2.3.4:80",
        "unix:",
        "unix:@",
        "*:99999999999999999999",
        "**:80",
        "[fe80::1%lo]:80",
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++) {
        struct br_err err = BR_ERR_NONE;

        if (address_check(slice_cstr(bad[i]), &err) != -EBADMSG)
            fail_msg("%s is accepted", bad[i]);
        assert_true(strlen(err.text) > 0);
    }
}

static void
bytes_that_a_socket_cannot_have_are_refused(void **state)
{
    char path[ADDRESS_UNIX_MAX + 6];

    (void)state;
    memset(path, 'x', sizeof path);
    memcpy(path, "unix:", 5);
    assert_int_equal(address_check(slice_make(path, ADDRESS_UNIX_MAX + 5), NULL), 0);
    assert_int_equal(address_check(slice_make(path, ADDRESS_UNIX_MAX + 6), NULL), -EBADMSG);
    assert_int_equal(address_check(SLICE("unix:a\0b"), NULL), -EBADMSG);
    assert_int_equal(address_check(SLICE("127.0.0.1\0:80"), NULL), -EBADMSG);
}

static void
wildcards_overlap_with_what_they_stand_for(void **state)
{
    static const struct {
        const char *a, *b;
        bool overlap;
    } pairs[] = {
        {"*:80", "127.0.0.1:80", true},
        {"0.0.0.0:80", "127.0.0.1:80", true},
        {"[::]:80", "[::1]:80", true},
        {"[0::0]:80", "[2001:db8::1]:80", true},
        {"*:80", "127.0.0.1:81", false},
        {"*:80", "[::1]:80", false},
        {"[::]:80", "127.0.0.1:80", false},
        {"*:80", "[::]:80", false},
        {"*:80", "*:80", false},
        {"*:80", "0.0.0.0:80", false},
        {"127.0.0.1:80", "127.0.0.2:80", false},
        {"unix:/a:80", "*:80", false},
        {"unix:@a", "unix:@b", false},
    };

    (void)state;
    for (size_t i = 0; i < array_len(pairs); i++) {
        if (address_overlap(pairs[i].a, pairs[i].b) != pairs[i].overlap ||
            address_overlap(pairs[i].b, pairs[i].a) != pairs[i].overlap)
            fail_msg("%s and %s", pairs[i].a, pairs[i].b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_accepted),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(bytes_that_a_socket_cannot_have_are_refused),
        cmocka_unit_test(wildcards_overlap_with_what_they_stand_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
