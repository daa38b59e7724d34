/*
 * access_test.c - lists, token files, and what they give.
 */
#include "controller/access.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/slice.h"
#include "controller/access_files.h"

static const struct settings tcp = {.control = "127.0.0.1:8443"};

static int
read_text(struct access_rules *rules, const char *text, struct br_err *err)
{
    struct access_files files = ACCESS_FILES_NONE;
    int rc;

    files.fd[ACCESS_TOKENS] = fd_memfd_sealed("tokens", text, strlen(text));
    *err = BR_ERR_NONE;
    rc = access_init(rules, &tcp, &files, err);
    access_files_close(&files);
    return rc;
}

static void
a_token_gives_the_role_of_its_line(void **state)
{
    static const struct {
        const char *field;
        enum access access;
    } rows[] = {
        {"Bearer aaaaaaaaaaaaaaaa", ACCESS_FULL},
        {"bearer aaaaaaaaaaaaaaaa", ACCESS_FULL},
        {"Bearer   aaaaaaaaaaaaaaaa", ACCESS_FULL},
        {"Bearer bbbbbbbbbbbbbbbbbb", ACCESS_READ},
        {"Bearer bbbbbbbbbbbbbbbb", ACCESS_NONE},
        {"Bearer aaaaaaaaaaaaaaaab", ACCESS_NONE},
        {"Bearer baaaaaaaaaaaaaaa", ACCESS_NONE},
        {"Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ACCESS_NONE},
        {"Bearer ", ACCESS_NONE},
        {"Bearer", ACCESS_NONE},
        {"", ACCESS_NONE},
        {"Basic aaaaaaaaaaaaaaaa", ACCESS_NONE},
        {"aaaaaaaaaaaaaaaa", ACCESS_NONE},
    };
    struct access_rules rules;
    struct br_err err;

    (void)state;
    assert_int_equal(
        read_text(&rules, "# roles\nfull aaaaaaaaaaaaaaaa\n\nread   bbbbbbbbbbbbbbbbbb", &err), 0);
    assert_true(rules.by_network);
    for (size_t i = 0; i < array_len(rows); i++)
        assert_int_equal(access_of_token(&rules, slice_cstr(rows[i].field)), rows[i].access);
    assert_int_equal(access_of_token(&rules, SLICE_NONE), ACCESS_NONE);
    access_done(&rules);
}

static void
lines_that_are_none_are_named(void **state)
{
    static const char *const rows[][2] = {
        {"", "there is no token"},
        {"#full aaaaaaaaaaaaaaaa", "there is no token"},
        {"full", "line 1: a token has"},
        {"\n\nall aaaaaaaaaaaaaaaa", "line 3: not"},
        {"full aaaaaaaaaaaaaaa", "line 1: a token has"},
        {"full aaaaaaaa aaaaaaaa", "line 1: a token has"},
        {"full aaaaaaaaaaaaaaa\xc3\xa4", "line 1: a token has"},
    };
    struct access_rules rules;
    struct br_err err;

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        assert_int_equal(read_text(&rules, rows[i][0], &err), -EBADMSG);
        assert_non_null(strstr(err.text, rows[i][1]));
        access_done(&rules);
    }
}

/* A line whose other end is ours: the kernel says so. */
static enum access
of_ourselves(const struct settings *settings)
{
    struct access_rules rules;
    struct ucred who;
    enum access access;
    int ends[2];

    assert_int_equal(access_init(&rules, settings, &ACCESS_FILES_NONE, NULL), 0);
    rules.main_uid = (uid_t)-2; /* else root and main's user are let in by that */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    access = access_of_peer(&rules, ends[0], &who);
    assert_int_equal(who.uid, geteuid());
    assert_int_equal(who.pid, getpid());
    close(ends[0]);
    close(ends[1]);
    access_done(&rules);
    return access;
}

static void
the_kernel_says_who_is_calling(void **state)
{
    struct settings settings = {.control = "unix:@name", .control_read = "4000000001"};
    char self[32];

    (void)state;
    if (geteuid() == 0) {
        assert_int_equal(of_ourselves(&settings), ACCESS_FULL);
        return; /* root may always; other users are in tests/system/test_16_access.py */
    }
    assert_int_equal(of_ourselves(&settings), ACCESS_NONE);
    settings.control_read = self;
    sprintf(self, "7,@%u", (unsigned)getegid());
    assert_int_equal(of_ourselves(&settings), ACCESS_READ);
    sprintf(self, "%u", (unsigned)geteuid());
    settings.control_allow = self;
    assert_int_equal(of_ourselves(&settings), ACCESS_FULL);
}

static void
what_does_not_go_together_is_refused(void **state)
{
    struct settings settings = tcp;
    struct br_err err = BR_ERR_NONE;

    (void)state;
    assert_int_equal(access_check(&settings, &err), -EBADMSG);
    assert_non_null(strstr(err.text, "--control-token-file"));
    settings.control = "unix:/run/x";
    assert_int_equal(access_check(&settings, NULL), 0);
    settings.control_allow = "no user has this name";
    assert_int_equal(access_check(&settings, NULL), -EBADMSG);
    settings.control_allow = "root,";
    assert_int_equal(access_check(&settings, NULL), -EBADMSG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_gives_the_role_of_its_line),
        cmocka_unit_test(lines_that_are_none_are_named),
        cmocka_unit_test(the_kernel_says_who_is_calling),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
