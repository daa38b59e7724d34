/*
 * creds.c - user and groups: resolved by name once, then set for good and the setting verified.
 *
 *   setgroups -> setresgid -> setresuid -> capabilities to nothing -> read back -> try to regain
 *
 * Going from one ordinary user to another keeps capabilities (capabilities(7)), so they are cleared
 * by hand; only root stays as it is.
 */
#include "process/creds.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
find_user(const char *user, struct creds *c, struct br_err *err)
{
    struct passwd *pw;

    if (strlen(user) >= sizeof(c->user))
        return br_fail(err, -EINVAL, "user name \"%s\" is too long", user);
    errno = 0;
    pw = getpwnam(user);
    if (pw == NULL && (errno == 0 || errno == ENOENT || errno == ESRCH))
        return br_fail(err, -ENOENT, "no user \"%s\"", user);
    if (pw == NULL)
        return br_fail(err, -errno, "cannot look up user \"%s\"", user);
    memcpy(c->user, user, strlen(user) + 1);
    c->uid = pw->pw_uid;
    c->gid = pw->pw_gid;
    return 0;
}

static int
find_group(const char *group, struct creds *c, struct br_err *err)
{
    struct group *gr;

    errno = 0;
    gr = getgrnam(group);
    if (gr == NULL && (errno == 0 || errno == ENOENT || errno == ESRCH))
        return br_fail(err, -ENOENT, "no group \"%s\"", group);
    if (gr == NULL)
        return br_fail(err, -errno, "cannot look up group \"%s\"", group);
    c->gid = gr->gr_gid;
    return 0;
}

int
creds_resolve(const char *user, const char *group, struct creds *ret, struct br_err *err)
{
    struct creds c = {.uid = 0};
    int n = CREDS_GROUPS_MAX;
    int rc = find_user(user, &c, err);

    if (rc == 0 && group != NULL)
        rc = find_group(group, &c, err);
    if (rc < 0)
        return rc;
    if (getgrouplist(user, c.gid, c.groups, &n) < 0)
        return br_fail(err, -E2BIG, "user \"%s\" is in more than %d groups", user,
                       CREDS_GROUPS_MAX);
    c.n_groups = (unsigned)n;
    *ret = c;
    return 0;
}

static int
compare_gids(const void *a, const void *b)
{
    gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

    return x < y ? -1 : x > y;
}

static bool
same_groups(const struct creds *c)
{
    gid_t have[CREDS_GROUPS_MAX];
    gid_t want[CREDS_GROUPS_MAX];
    int n = getgroups(CREDS_GROUPS_MAX, have);

    if (n < 0 || (unsigned)n != c->n_groups)
        return false;
    if (n == 0)
        return true;
    memcpy(want, c->groups, (size_t)n * sizeof(gid_t));
    qsort(have, (size_t)n, sizeof(gid_t), compare_gids);
    qsort(want, (size_t)n, sizeof(gid_t), compare_gids);
    return memcmp(have, want, (size_t)n * sizeof(gid_t)) == 0;
}

static bool
same_ids(const struct creds *c)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    return getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0 &&
           ruid == c->uid && euid == c->uid && suid == c->uid && rgid == c->gid && egid == c->gid &&
           sgid == c->gid;
}

static int
read_caps(struct __user_cap_data_struct ret_caps[2])
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};

    return syscall(SYS_capget, &head, ret_caps) == 0 ? 0 : -errno;
}

int
creds_drop_caps(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return -errno;
    return syscall(SYS_capset, &head, none) == 0 ? 0 : -errno;
}

static int
verify(const struct creds *c, struct br_err *err)
{
    if (!same_ids(c) || !same_groups(c))
        return br_fail(err, -EPERM, "the ids of user \"%s\" did not take hold", c->user);
    if (c->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0 || setgroups(0, NULL) == 0))
        return br_fail(err, -EPERM, "user \"%s\" could become root again", c->user);
    return 0;
}

int
creds_drop(const struct creds *c, struct br_err *err)
{
    if (same_ids(c) && (same_groups(c) || !creds_privileged()))
        return 0;
    if (setgroups(c->n_groups, c->groups) < 0)
        return br_fail(err, -errno, "cannot set the groups of user \"%s\"", c->user);
    if (setresgid(c->gid, c->gid, c->gid) < 0)
        return br_fail(err, -errno, "cannot set group %u", (unsigned)c->gid);
    if (setresuid(c->uid, c->uid, c->uid) < 0)
        return br_fail(err, -errno, "cannot become user \"%s\"", c->user);
    if (c->uid != 0 && creds_drop_caps() < 0)
        return br_fail(err, -errno, "cannot drop capabilities");
    return verify(c, err);
}

bool
creds_privileged(void)
{
    struct __user_cap_data_struct caps[2] = {{0}, {0}};
    unsigned want = 1u << CAP_SETUID | 1u << CAP_SETGID;

    return read_caps(caps) == 0 && (caps[0].effective & want) == want;
}
