/*
 * certs.c - the certificate bundles that there are, and their way to disk and back.
 *
 * One order per name is under way at a time: a bundle that is being stored or removed is `busy`,
 * and who wants to change it meanwhile is refused, so that answers come in the order of the disk.
 */
#include "controller/certs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/cert_store.h"
#include "controller/parent.h"

#define ORDER_WAIT_MS   30000
#define NAMES_BYTES_MAX (16u * 1024 * 1024)

struct cert {
    struct list link;
    struct arena arena;
    struct slice name;
    struct bundle bundle;
    bool known; /* bundle is what is on disk */
    bool busy;
};

/* Something that main was asked for. */
struct order {
    struct list link;
    struct certs *certs;
    struct cert *cert;
    struct cert *fresh; /* of a put: takes the place of cert's bundle once it is stored */
    certs_fn *fn;
    void *arg;
};

static struct cert *
find(const struct certs *c, struct slice name)
{
    struct cert *cert;

    list_foreach (cert, &c->all, link)
        if (slice_eq(cert->name, name))
            return cert;
    return NULL;
}

static struct cert *
cert_new(struct slice name)
{
    struct cert *cert = calloc(1, sizeof(*cert));

    if (cert == NULL)
        abort();
    arena_init(&cert->arena, 0);
    list_init(&cert->link);
    cert->name = slice_cstr(arena_cstr(&cert->arena, name));
    return cert;
}

static void
cert_free(struct cert *cert)
{
    list_del(&cert->link);
    arena_done(&cert->arena);
    free(cert);
}

/* In order of name. */
static void
insert(struct certs *c, struct cert *cert)
{
    struct cert *other;

    list_foreach (other, &c->all, link)
        if (slice_cmp(other->name, cert->name) > 0)
            break;
    list_add_tail(&other->link, &cert->link);
}

static struct msg_open
order_for(enum open_kind kind, struct slice name)
{
    struct msg_open order = {.kind = kind};

    memcpy(order.name, name.p, br_min(name.n, sizeof(order.name) - 1));
    return order;
}

void
certs_init(struct certs *c, struct task *task)
{
    *c = (struct certs){.task = task};
    list_init(&c->all);
    list_init(&c->orders);
}

static void refuse_order(struct order *order);

void
certs_done(struct certs *c)
{
    struct cert *cert, *next;

    dispatch_forget(c->task->dispatch, c);
    while (!list_empty(&c->orders))
        refuse_order(list_first(&c->orders, struct order, link));
    list_foreach_safe (cert, next, &c->all, link)
        cert_free(cert);
    free(c->names);
    c->names = NULL;
}

/* --- start --- */

static void load_next(struct certs *c);

static void
loaded(struct certs *c)
{
    free(c->names);
    c->names = NULL;
    c->on_loaded(c->arg);
}

static struct slice
name_at(const struct certs *c)
{
    return slice_cstr(c->names + c->names_at);
}

static void
learn(struct certs *c, int fd, struct br_err *err)
{
    struct cert *cert = cert_new(name_at(c));
    char *text = NULL;
    size_t n = 0;
    int rc = fd_read_file(fd, BUNDLE_BYTES_MAX, &text, &n);

    if (rc < 0)
        br_fail(err, rc, "cannot read it");
    else
        rc = bundle_read(&cert->arena, slice_make(text, n), &cert->bundle, err);
    if (text != NULL)
        bundle_wipe(text, n);
    free(text);
    cert->known = rc == 0;
    if (cert->known)
        insert(c, cert);
    else
        cert_free(cert);
}

static void
on_one(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct certs *c = arg;
    struct br_err err = BR_ERR_NONE;

    rc = parent_result(m, rc, &err, "main");
    if (rc == 0 && m->n_fds == 1)
        learn(c, m->fds[0], &err);
    if (err.text[0] != '\0')
        br_log(LOG_ERROR, "certificate bundle \"%s\" is left out: %s", c->names + c->names_at,
               err.text);
    c->names_at += name_at(c).n + 1;
    load_next(c);
}

static void
load_next(struct certs *c)
{
    struct msg_open question;

    if (c->names_at >= c->names_n) {
        loaded(c);
        return;
    }
    question = order_for(OPEN_CERTIFICATE, name_at(c));
    if (parent_ask(c->task, MSG_OPEN, &question, NULL, 0, ORDER_WAIT_MS, on_one, c) < 0)
        loaded(c);
}

static void
on_list(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct certs *c = arg;
    struct br_err err = BR_ERR_NONE;

    rc = parent_result(m, rc, &err, "main");
    if (rc == 0 && m->n_fds == 1) {
        rc = fd_read_file(m->fds[0], NAMES_BYTES_MAX, &c->names, &c->names_n);
        if (rc < 0)
            br_fail(&err, rc, "cannot read the list");
    }
    if (rc < 0)
        br_log(LOG_ERROR, "certificate bundles are left out: %s", err.text);
    load_next(c);
}

void
certs_load(struct certs *c, void (*on_loaded)(void *arg), void *arg)
{
    const struct msg_open question = {.kind = OPEN_CERTIFICATES};

    c->on_loaded = on_loaded;
    c->arg = arg;
    if (parent_ask(c->task, MSG_OPEN, &question, NULL, 0, ORDER_WAIT_MS, on_list, c) < 0)
        loaded(c);
}

/* --- changes --- */

static struct order *
order_new(struct certs *c, struct cert *cert, certs_fn *fn, void *arg)
{
    struct order *order = calloc(1, sizeof(*order));

    if (order == NULL)
        abort();
    *order = (struct order){.certs = c, .cert = cert, .fn = fn, .arg = arg};
    list_init(&order->link);
    list_add_tail(&c->orders, &order->link);
    cert->busy = true;
    return order;
}

static void
order_over(struct order *order, enum certs_outcome outcome, const struct br_err *err)
{
    list_del(&order->link);
    order->fn(order->arg, outcome, err);
    free(order);
}

static void
finish_put(struct order *order, int rc, const struct br_err *err)
{
    struct cert *stays = rc == 0 ? order->fresh : order->cert;
    struct cert *goes = rc == 0 ? order->cert : order->fresh;

    if (rc == 0) {
        insert(order->certs, stays);
        br_log(LOG_NOTICE, "certificate bundle \"" SLICE_FMT "\" is stored",
               SLICE_ARG(stays->name));
    }
    stays->busy = false;
    cert_free(goes);
    if (!stays->known)
        cert_free(stays); /* it held the place of one that could not be stored */
    order_over(order, rc == 0 ? CERTS_DONE : CERTS_FAILED, err);
}

static void
on_saved(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct br_err err = BR_ERR_NONE;

    rc = parent_result(m, rc, &err, "main");
    finish_put(arg, rc, &err);
}

static enum certs_outcome
check(const struct certs *c, struct slice name, struct slice pem, bool replace, struct arena *a,
      struct bundle *ret, struct br_err *err)
{
    const struct cert *there = find(c, name);

    if (!cert_store_name_ok(name))
        return CERTS_BAD_NAME;
    if (there != NULL && (there->busy || !replace))
        return CERTS_EXISTS;
    return bundle_read(a, pem, ret, err) < 0 ? CERTS_INVALID : CERTS_DONE;
}

enum certs_outcome
certs_check(const struct certs *c, struct slice name, struct slice pem, bool replace,
            struct br_err *err)
{
    enum certs_outcome outcome;
    struct bundle bundle;
    struct arena a;

    arena_init(&a, 0);
    outcome = check(c, name, pem, replace, &a, &bundle, err);
    arena_done(&a);
    bundle_wipe((char *)pem.p, pem.n);
    return outcome;
}

/* Sealed, for main.  fd or -errno. */
static int
ask_save(struct order *order, struct slice pem, struct br_err *err)
{
    const struct msg_open question = order_for(OPEN_CERTIFICATE, order->cert->name);
    int fd = fd_memfd_sealed("certificate", pem.p, pem.n);
    int rc = fd;

    if (fd >= 0)
        rc = parent_ask(order->certs->task, MSG_SAVE, &question, &fd, 1, ORDER_WAIT_MS, on_saved,
                        order);
    return rc < 0 ? br_fail(err, rc, "main cannot be asked") : 0;
}

void
certs_put(struct certs *c, struct slice name, struct slice pem, bool replace, certs_fn *fn,
          void *arg)
{
    struct cert *fresh = cert_new(name), *there = find(c, name);
    struct br_err err = BR_ERR_NONE;
    enum certs_outcome outcome = check(c, name, pem, replace, &fresh->arena, &fresh->bundle, &err);
    struct order *order;
    int rc;

    if (outcome != CERTS_DONE) {
        bundle_wipe((char *)pem.p, pem.n);
        cert_free(fresh);
        fn(arg, outcome, &err);
        return;
    }
    fresh->known = true;
    if (there == NULL) {
        there = cert_new(name);
        insert(c, there);
    }
    order = order_new(c, there, fn, arg);
    order->fresh = fresh;
    rc = ask_save(order, pem, &err);
    bundle_wipe((char *)pem.p, pem.n);
    if (rc < 0)
        finish_put(order, rc, &err);
}

static void
finish_remove(struct order *order, int rc, const struct br_err *err)
{
    struct cert *cert = order->cert;

    cert->busy = false;
    if (rc == 0) {
        br_log(LOG_NOTICE, "certificate bundle \"" SLICE_FMT "\" is deleted",
               SLICE_ARG(cert->name));
        cert_free(cert);
    }
    order_over(order, rc == 0 ? CERTS_DONE : CERTS_FAILED, err);
}

static void
on_removed(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct br_err err = BR_ERR_NONE;

    rc = parent_result(m, rc, &err, "main");
    finish_remove(arg, rc, &err);
}

void
certs_remove(struct certs *c, struct slice name, certs_fn *fn, void *arg)
{
    struct cert *cert = find(c, name);
    struct msg_open question;
    struct br_err err = BR_ERR_NONE;
    struct order *order;
    int rc;

    if (cert == NULL || cert->busy) {
        fn(arg, CERTS_MISSING, &err);
        return;
    }
    order = order_new(c, cert, fn, arg);
    question = order_for(OPEN_CERTIFICATE, name);
    rc = parent_ask(c->task, MSG_REMOVE, &question, NULL, 0, ORDER_WAIT_MS, on_removed, order);
    if (rc < 0) {
        br_fail(&err, rc, "main cannot be asked");
        finish_remove(order, rc, &err);
    }
}

/* Nobody will hear main's answer. */
static void
refuse_order(struct order *order)
{
    struct br_err err = BR_ERR_NONE;

    dispatch_forget(order->certs->task->dispatch, order);
    br_fail(&err, -EBADMSG, "brood is stopping");
    if (order->fresh != NULL)
        finish_put(order, -EPIPE, &err);
    else
        finish_remove(order, -EPIPE, &err);
}

const struct bundle *
certs_find(const struct certs *c, struct slice name)
{
    const struct cert *cert = find(c, name);

    return cert != NULL && cert->known ? &cert->bundle : NULL;
}

struct json *
certs_describe_all(struct arena *a, const struct certs *c, int64_t now_s)
{
    struct json *object = json_new(a, JSON_OBJECT);
    const struct cert *cert;

    list_foreach (cert, &c->all, link)
        if (cert->known)
            json_add(object, arena_dup(a, cert->name), certs_describe(a, &cert->bundle, now_s));
    return object;
}
