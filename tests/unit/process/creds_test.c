/*
 * creds_test.c - in forked children, since nobody comes back from a drop.
 *
 * The drops themselves need a privileged run; without it only the refusals are tested.
 */
#include "process/creds.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>

static int
in_child(int (*fn)(const struct creds *c), const struct creds *c)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(c));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int
drop_for_good(const struct creds *c)
{
    struct br_err err = BR_ERR_NONE;
    gid_t groups[CREDS_GROUPS_MAX];

    if (creds_drop(c, &err) != 0)
        return 1;
    if (getuid() != c->uid || geteuid() != c->uid || getgid() != c->gid)
        return 2;
    if (getgroups(CREDS_GROUPS_MAX, groups) != (int)c->n_groups)
        return 3;
    if (creds_privileged() || setuid(0) == 0 || setgroups(0, NULL) == 0)
        return 4;
    if (creds_drop(c, &err) != 0) /* already them */
        return 5;
    return 0;
}

static void
a_drop_holds(void **state)
{
    struct creds c;

    (void)state;
    if (!creds_privileged())
        skip();
    assert_int_equal(creds_resolve("nobody", NULL, &c, NULL), 0);
    assert_string_equal(c.user, "nobody");
    assert_int_equal(in_child(drop_for_good, &c), 0);
}

static int
refused(const struct creds *c)
{
    struct br_err err = BR_ERR_NONE;
    struct creds root = {.uid = 0, .gid = 0, .user = "root"};

    if (creds_privileged() && creds_drop(c, NULL) != 0)
        return 1;
    return creds_drop(&root, &err) == -EPERM && err.text[0] != '\0' ? 0 : 2;
}

static void
without_privilege_nobody_becomes_another(void **state)
{
    struct creds c;

    (void)state;
    assert_int_equal(creds_resolve("nobody", NULL, &c, NULL), 0);
    assert_int_equal(in_child(refused, &c), 0);
}

static void
unknown_names_are_named(void **state)
{
    struct creds c;
    struct br_err err = BR_ERR_NONE;

    (void)state;
    assert_int_equal(creds_resolve("no-such-user", NULL, &c, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no-such-user"));
    err = BR_ERR_NONE;
    assert_int_equal(creds_resolve("root", "no-such-group", &c, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no-such-group"));
}

static void
the_group_of_the_user_is_the_default(void **state)
{
    struct creds c;
    struct passwd *pw = getpwnam("nobody");
    gid_t gid = pw->pw_gid;

    (void)state;
    assert_int_equal(creds_resolve("nobody", NULL, &c, NULL), 0);
    assert_int_equal(c.gid, gid);
    assert_int_equal(creds_resolve("nobody", "root", &c, NULL), 0);
    assert_int_equal(c.gid, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drop_holds),
        cmocka_unit_test(without_privilege_nobody_becomes_another),
        cmocka_unit_test(unknown_names_are_named),
        cmocka_unit_test(the_group_of_the_user_is_the_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
