/*
 * wish.c - `settings` of main and the routers, made into the message that main compares with what
 * runs: texts into masks, names into numbers.
 */
#include "controller/wish.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "conf/cpus.h"
#include "process/creds.h"

/* Processors that brood may use. */
static uint32_t
processors(void)
{
    cpu_set_t cpus;

    return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : 1;
}

/* Never more than leaves room for their successors beside them. */
static uint32_t
number(int32_t n)
{
    if (n == COUNT_AUTO)
        n = (int32_t)processors();
    return (uint32_t)br_min(br_max(n, 0), (int32_t)ROUTERS_CONF_MAX);
}

static void
affinity(const struct strings *texts, struct msg_routers *ret)
{
    if (texts->n == 1 && strcmp(texts->p[0], "auto") == 0) {
        ret->affinity_auto = 1;
        return;
    }
    ret->n_affinity = (uint32_t)br_min(texts->n, (size_t)MSG_ROUTERS_MAX);
    for (uint32_t i = 0; i < ret->n_affinity; i++)
        cpus_parse(slice_cstr(texts->p[i]), ret->affinity[i], MSG_AFFINITY_WORDS);
}

static uint64_t
signals(const struct strings *names)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < names->n; i++)
        for (int number = 1; number < NSIG; number++) {
            const char *word = sigabbrev_np(number);

            if (word != NULL && strcmp(word, names->p[i]) == 0)
                mask |= UINT64_C(1) << (number - 1);
        }
    return mask;
}

static int
other_groups(const struct strings *names, struct creds *c, struct br_err *err)
{
    int rc = 0;

    if (names->p == NULL)
        return 0;
    c->n_groups = 0;
    for (size_t i = 0; i < names->n && rc == 0; i++) {
        if (c->n_groups == CREDS_GROUPS_MAX)
            return br_fail(err, -E2BIG, "more than %d groups", CREDS_GROUPS_MAX);
        rc = creds_group(names->p[i], &c->groups[c->n_groups++], err);
    }
    return rc;
}

static void
put_ids(const struct creds *c, struct msg_routers *ret)
{
    ret->own_ids = 1;
    ret->uid = c->uid;
    ret->gid = c->gid;
    ret->n_groups = br_min(c->n_groups, MSG_GROUPS_MAX);
    for (uint32_t i = 0; i < ret->n_groups; i++)
        ret->groups[i] = c->groups[i];
}

/* Without privilege there is one user, who may be named. */
static int
ids(const struct routers_conf *conf, const struct settings *s, struct msg_routers *ret,
    struct br_err *err)
{
    bool inherits = conf->user == NULL;
    const char *group = inherits && conf->group == NULL ? s->group : conf->group;
    struct creds c = {.uid = (uid_t)-1};
    int rc = 0;

    if (inherits && conf->group == NULL && conf->supplementary_groups.p == NULL)
        return 0;
    if (!inherits || s->privileged)
        rc = creds_resolve(inherits ? s->user : conf->user, group, &c, err);
    if (rc == 0)
        rc = other_groups(&conf->supplementary_groups, &c, err);
    if (rc < 0)
        return br_fail(err, rc, "settings of routers");
    if (s->privileged)
        put_ids(&c, ret);
    else if (inherits || c.uid != s->uid || c.gid != s->gid || conf->supplementary_groups.p != NULL)
        return br_fail(err, -EPERM,
                       "settings of routers: `user`, `group` and `supplementary_groups` need a "
                       "brood that runs as root, and this one runs as user %u",
                       (unsigned)s->uid);
    return 0;
}

int
wish_routers(const struct generation *g, const struct settings *settings, struct msg_routers *ret,
             struct br_err *err)
{
    const struct routers_conf *conf = &g->routers;

    memset(ret, 0, sizeof(*ret)); /* main compares bytes */
    ret->n = number(conf->n);
    ret->priority = conf->priority;
    ret->rlimit_nofile = conf->rlimit_nofile;
    ret->rlimit_core = conf->rlimit_core;
    ret->timeout_ms = (uint32_t)g->shutdown.timeout_ms;
    ret->delay_ms = (uint32_t)g->shutdown.delay_ms;
    affinity(&conf->affinity, ret);
    if (conf->working_directory != NULL)
        strncpy(ret->working_directory, conf->working_directory,
                sizeof(ret->working_directory) - 1);
    ret->dumpable = conf->dumpable;
    ret->signal_mask = signals(&conf->signal_mask);
    return ids(conf, settings, ret, err);
}
