/*
 * controller.h - what the units of this room share: the one struct of a running controller.
 */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include "base/arena.h"
#include "conf/module.h"
#include "controller/access.h"
#include "controller/apply.h"
#include "controller/certs.h"
#include "event/listener.h"
#include "http/h1_conn.h"
#include "ipc/messages.h"
#include "tls/tls_accept.h"

struct boot;
struct load;
struct proof;
struct search;

/* What a connection to the control socket came through: the owner of its requests. */
struct door {
    struct controller *controller;
    enum access access; /* of all its requests; ACCESS_NONE: each shows a token */
    unsigned refuses;   /* or: with this status, whatever is asked */
    const char *why;
};

/* What became of the last upgrade, as main says. */
struct upgraded {
    bool done;
    char reason[sizeof(((struct msg_result *)NULL)->text)]; /* why it failed, or "" */
};

struct controller {
    struct task *task;
    struct apply apply;
    struct list asking;  /* numbers.h: /status calls under way */
    struct list lookups; /* api_history.c: /history calls under way */

    struct certs certs;

    /* Languages found by discovery. */
    struct conf_modules modules;
    struct arena modules_arena;

    /* The control socket. */
    struct h1_server http;
    struct http_limits limits;
    struct listener listener;
    int listen_fd;
    struct access_rules rules;
    struct door doors[ACCESS_FULL + 1]; /* one for each access */
    struct door plain;                  /* HTTP where TLS is spoken */
    struct door stranger;               /* a certificate that no list names */
    struct tls_acceptor tls;            /* with rules.tls */

    /* Boot: what main hands over, and how far it is. */
    bool has_modules;
    bool has_stored;
    bool booted;
    bool leaving;       /* brood drains, or is about to */
    bool told_to_leave; /* this process is, see look_at_told */
    uint32_t restarts;  /* controllers before this one */
    char *running;      /* text of CONF_RUNNING, or NULL: no controller came so far before */
    size_t running_n;
    char *stored; /* text, or NULL: nothing was kept */
    size_t stored_n;
    struct msg_stored kept;   /* what main says of it */
    bool aside;               /* a damaged one has another name now: its own is free */
    struct boot *booting;     /* one that waits to be tried again, or NULL */
    struct load *loading;     /* boot_source.c: the file of --config, or NULL */
    struct search *searching; /* boot_history.c, or NULL */
    char unapplied[1024];     /* what should have served but does not, and why; "": it serves */
    struct upgraded upgraded; /* the last upgrade */
    struct proof *proof;      /* prove.c, or NULL */
    void (*on_booted)(struct controller *c);
};

#endif
