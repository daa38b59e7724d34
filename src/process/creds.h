/*
 * creds.h - user and groups: resolved once, dropped, and the drop verified.
 */
#ifndef PROCESS_CREDS_H
#define PROCESS_CREDS_H

#include <sys/types.h>

#include "base/err.h"

#define CREDS_GROUPS_MAX 256

struct creds {
    uid_t uid;
    gid_t gid;
    gid_t groups[CREDS_GROUPS_MAX];
    unsigned n_groups;
    uint64_t keep_caps; /* bits of capabilities that stay, also over an execution; 0: none */
    char user[64];
};

/* group NULL: the user's primary group.  -ENOENT with the name when unknown. */
int creds_resolve(const char *user, const char *group, struct creds *ret, struct br_err *err);
/* The number of that group.  0, or -errno with its name. */
int creds_group(const char *group, gid_t *ret, struct br_err *err);
/*
 * Become them for good: setgroups, setresgid, setresuid, then read back and try to regain.
 * Already them: 0.  Without privilege and other ids: -EPERM.
 */
int creds_drop(const struct creds *c, struct br_err *err);
/* The bit of "net_bind_service" and so on in keep_caps; 0: there is no such capability. */
uint64_t creds_capability(const char *name);
/* Give up all capabilities, in every set that exec could raise them from.  0 or -errno. */
int creds_drop_caps(void);
/* May this process change ids: CAP_SETUID and CAP_SETGID effective. */
bool creds_privileged(void);

#endif
