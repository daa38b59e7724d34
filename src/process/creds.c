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

#include "base/rights.h"

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

int
creds_group(const char *group, gid_t *ret, struct br_err *err)
{
    struct group *gr;

    errno = 0;
    gr = getgrnam(group);
    if (gr == NULL && (errno == 0 || errno == ENOENT || errno == ESRCH))
        return br_fail(err, -ENOENT, "no group \"%s\"", group);
    if (gr == NULL)
        return br_fail(err, -errno, "cannot look up group \"%s\"", group);
    *ret = gr->gr_gid;
    return 0;
}

int
creds_resolve(const char *user, const char *group, struct creds *ret, struct br_err *err)
{
    struct creds c = {.uid = 0};
    int n = CREDS_GROUPS_MAX;
    int rc = find_user(user, &c, err);

    if (rc == 0 && group != NULL)
        rc = creds_group(group, &c.gid, err);
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

static const struct {
    const char *name;
    unsigned number;
} capabilities[] = {
#define CAPABILITY(name, suffix) {#name, CAP_##suffix},
    CAPABILITIES(CAPABILITY)
#undef CAPABILITY
};

uint64_t
creds_capability(const char *name)
{
    for (size_t i = 0; i < array_len(capabilities); i++)
        if (strcmp(capabilities[i].name, name) == 0)
            return UINT64_C(1) << capabilities[i].number;
    return 0;
}

/* These and no others; inheritable and ambient, so that what is executed has them too. */
static int
set_caps(uint64_t keep)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2];

    for (unsigned i = 0; i < 2; i++) {
        uint32_t half = (uint32_t)(keep >> (32 * i));

        caps[i] = (struct __user_cap_data_struct){half, half, half};
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return -errno;
    if (syscall(SYS_capset, &head, caps) < 0)
        return -errno;
    for (unsigned long n = 0; n < 64; n++)
        if ((keep >> n & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) < 0)
            return -errno;
    return 0;
}

int
creds_drop_caps(void)
{
    return set_caps(0);
}

/* What is not to be kept can then not come back by the execution of any file. */
static int
bound_caps(uint64_t keep)
{
    for (unsigned long n = 0; prctl(PR_CAPBSET_READ, n, 0, 0, 0) >= 0; n++)
        if ((keep >> n & 1) == 0 && prctl(PR_CAPBSET_DROP, n, 0, 0, 0) < 0)
            return -errno;
    return 0;
}

static int
verify(const struct creds *c, struct br_err *err)
{
    if (!same_ids(c) || !same_groups(c))
        return br_fail(err, -EPERM, "the ids of user \"%s\" did not take hold", c->user);
    if (c->uid != 0 && c->keep_caps == 0 &&
        (setuid(0) == 0 || seteuid(0) == 0 || setgroups(0, NULL) == 0))
        return br_fail(err, -EPERM, "user \"%s\" could become root again", c->user);
    return 0;
}

int
creds_drop(const struct creds *c, struct br_err *err)
{
    if (c->keep_caps != 0 && (bound_caps(c->keep_caps) < 0 || prctl(PR_SET_KEEPCAPS, 1) < 0))
        return br_fail(err, -errno, "cannot keep capabilities");
    if (c->keep_caps == 0 && same_ids(c) && (same_groups(c) || !creds_privileged()))
        return 0;
    if (setgroups(c->n_groups, c->groups) < 0)
        return br_fail(err, -errno, "cannot set the groups of user \"%s\"", c->user);
    if (setresgid(c->gid, c->gid, c->gid) < 0)
        return br_fail(err, -errno, "cannot set group %u", (unsigned)c->gid);
    if (setresuid(c->uid, c->uid, c->uid) < 0)
        return br_fail(err, -errno, "cannot become user \"%s\"", c->user);
    if ((c->uid != 0 || c->keep_caps != 0) && set_caps(c->keep_caps) < 0)
        return br_fail(err, -errno, "cannot set capabilities");
    return verify(c, err);
}

bool
creds_privileged(void)
{
    struct __user_cap_data_struct caps[2] = {{0}, {0}};
    unsigned want = 1u << CAP_SETUID | 1u << CAP_SETGID;

    return read_caps(caps) == 0 && (caps[0].effective & want) == want;
}
