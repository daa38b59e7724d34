/*
 * deployment.h - a generation and what runs for it: which launch serves each of its applications.
 */
#ifndef CONTROLLER_DEPLOYMENT_H
#define CONTROLLER_DEPLOYMENT_H

#include "base/err.h"
#include "base/slice.h"
#include "process/role.h"

struct generation;
struct app_conf;

struct deployment {
    struct generation *generation; /* holds one reference */
    uint32_t *launches;            /* one per generation->apps; 0: not chosen yet */
    const char *etag;              /* NULL: nobody has asked yet */
};

/*
 * Takes over the caller's reference, on failure too.  The launches live in the generation's arena.
 * 0, or -ENOMEM (the arena's cap).
 */
int deployment_init(struct deployment *d, struct generation *generation);
void deployment_done(struct deployment *d);

/* The launch of the application of that name, 0 when there is none. */
uint32_t deployment_launch(const struct deployment *d, struct slice name);
void deployment_set_launch(struct deployment *d, struct slice name, uint32_t launch);

bool deployment_names(const struct deployment *d, uint32_t launch);

/*
 * deployment_etag - the strong validator of the configuration, in quotes: equal texts have equal
 * ones, in whichever controller.  Made once; lives as long as the generation.
 */
const char *deployment_etag(struct deployment *d);

/* What a router needs to build it: {"conf": …, "launch": {"NAME": number, …}}, sealed.  fd or
 * -errno. */
int deployment_seal(const struct deployment *d);
/* The configuration alone, as it is kept on disk, sealed.  fd or -errno. */
int deployment_seal_conf(const struct deployment *d);

/*
 * launch_card - the launch card of one application, sealed.
 *
 *   replaces   another launch of it runs until this one is live
 *
 * fd or -errno.
 */
int launch_card(const struct app_conf *app, uint32_t launch, bool replaces,
                const struct settings *settings);
/* Tell main that the programs of this deployment may begin; those that did go on. */
void launches_tell_live(const struct deployment *d, struct task *task);
/* Must the launch that it replaces be gone before this application begins? */
bool launch_alone(const struct app_conf *app);

#endif
