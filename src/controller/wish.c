/*
 * wish.c - `settings` of main and the routers, made into the message that main compares with what
 * runs: texts into masks, "auto" into a number.
 */
#include "controller/wish.h"

#include <sched.h>
#include <string.h>

#include "conf/cpus.h"

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

void
wish_routers(const struct generation *g, struct msg_routers *ret)
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
}
