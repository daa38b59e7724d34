/*
 * certs.h - the certificate bundles that there are, by name.
 *
 *   start:  OPEN (list) -> OPEN NAME, one after the other -> bundle_read -> known
 *   put:    bundle_read -> SAVE NAME (main writes, syncs, renames) -> known
 *   remove: REMOVE NAME -> forgotten
 *
 * What is known of a bundle is public; the text with its key is on disk only, readable by main
 * alone.  This process sees it twice, when it is uploaded and when a controller starts, and wipes
 * it as soon as it is described.
 */
#ifndef CONTROLLER_CERTS_H
#define CONTROLLER_CERTS_H

#include "base/list.h"
#include "conf/json.h"
#include "process/role.h"
#include "tls/bundle.h"

struct message;

struct certs {
    struct task *task;
    struct list all;    /* in order of name */
    struct list orders; /* what main has not answered yet */
    char *names;        /* while they are loaded: what main listed, each with a NUL behind it */
    size_t names_n;
    size_t names_at; /* the one that is asked for */
    void (*on_loaded)(void *arg);
    void *arg;
};

void certs_init(struct certs *c, struct task *task);
/* For the end of the process: no answer is waited for; who waits is told. */
void certs_done(struct certs *c);

/* Learn what main has.  What cannot be read is logged and skipped; on_loaded is called once. */
void certs_load(struct certs *c, void (*on_loaded)(void *arg), void *arg);

/* The bundle of that name, or NULL; valid until the loop turns. */
const struct bundle *certs_find(const struct certs *c, struct slice name);
/* What GET answers about one; about all of them. */
struct json *certs_describe(struct arena *a, const struct bundle *b, int64_t now_s);
struct json *certs_describe_all(struct arena *a, const struct certs *c, int64_t now_s);

enum certs_outcome {
    CERTS_DONE,
    CERTS_BAD_NAME,
    CERTS_EXISTS, /* or it is being stored or removed right now */
    CERTS_MISSING,
    CERTS_INVALID, /* the text is no bundle: err says why */
    CERTS_FAILED,  /* main could not: err says why; all is as before */
};

/* Called once, perhaps before certs_put or certs_remove returns. */
typedef void certs_fn(void *arg, enum certs_outcome outcome, const struct br_err *err);

/*
 * certs_put - store a bundle.
 *   pem       wiped before this returns
 *   replace   also when there is one of that name
 */
void certs_put(struct certs *c, struct slice name, struct slice pem, bool replace, certs_fn *fn,
               void *arg);
/* Whether that would be accepted; nothing is stored.  pem is wiped. */
enum certs_outcome certs_check(const struct certs *c, struct slice name, struct slice pem,
                               bool replace, struct br_err *err);
void certs_remove(struct certs *c, struct slice name, certs_fn *fn, void *arg);

/* Does a listener of this configuration name it?  NULL: there is no configuration. */
bool certs_in_use(const struct json *conf, struct slice name);

#endif
