/*
 * generation.h - one immutable, typed, numbered configuration; defaults filled in; users counted.
 *
 *   text --json_parse--> tree --validate--> --options--> structs below, all in g->arena
 *
 *   g = generation_new(7);
 *   json_parse(&g->arena, text, &tree, ...);        or json_copy of the live tree, edited
 *   generation_fill(g, tree, modules, &fault);      now read-only
 *   ... generation_ref / generation_unref
 *
 * Not for threads: each process has its own.
 */
#ifndef CONF_GENERATION_H
#define CONF_GENERATION_H

#include "base/arena.h"
#include "base/map.h"
#include "conf/mime.h"
#include "conf/pass.h"
#include "conf/pattern.h"
#include "conf/template.h"
#include "conf/validate.h"

struct strings {
    const char **p; /* p[n] is NULL */
    size_t n;
};

struct route_conf;
struct app_conf;

/* Where a request goes: exactly one of the two. */
struct destination {
    const struct route_conf *route;
    const struct app_conf *app;
    struct slice target; /* with app: the named target, or empty */
};

/* `pass`: known now, or computed for each request (then generation_resolve). */
struct pass_conf {
    const struct template *text; /* NULL: none */
    struct destination to;       /* when text->literal */
};

enum action_kind { ACTION_RETURN, ACTION_SHARE, ACTION_PASS };

struct action_conf {
    enum action_kind kind;
    int32_t status;                     /* RETURN */
    const struct template *location;    /* RETURN, or NULL */
    struct templates share;             /* SHARE: one or more */
    const char *index;                  /* SHARE */
    const struct patterns *types;       /* SHARE, or NULL */
    const struct action_conf *fallback; /* SHARE, or NULL */
    struct pass_conf pass;              /* PASS */
};

/* NULL: not asked.  All that are asked must hold. */
struct match_conf {
    const struct patterns *method; /* upper case */
    const struct patterns *host;   /* lower case, without port */
    const struct patterns *uri;    /* decoded path */
};

struct step_conf {
    struct match_conf match;
    struct action_conf action;
};

struct route_conf {
    struct slice name; /* p is NULL for the unnamed array */
    struct step_conf *steps;
    size_t n;
};

struct listener_conf {
    const char *address; /* as written: the key */
    const char *protocol;
    bool tcp; /* its connections are the application's, no router's */
    struct pass_conf pass;
    int32_t backlog; /* -1: the system's limit */
};

struct processes_conf {
    int32_t max;
    int32_t spare;
    int64_t idle_timeout_ms;
};

/* What an application does not share with the machine. */
struct isolation_conf {
    struct {
        bool cgroup, credential, ipc, mount, network, pid, time, uname;
    } namespaces;
    struct strings uidmap; /* "INSIDE OUTSIDE N" */
    struct strings gidmap;
    const char *rootfs; /* NULL: the machine's */
    struct {
        bool language_deps, procfs, tmpfs;
    } automount;
    struct strings binds; /* three by three: source, target, "ro" or "rw" */
    bool read_only;
    bool private_tmp;
    const char *hostname;
    bool new_privs;
    struct {
        const char *path; /* NULL: main's */
        int64_t memory;   /* bytes, 0: no limit */
        int64_t cpu;      /* thousandths of a processor, 0: no limit */
        int32_t pids;     /* 0: no limit */
    } cgroup;
    struct strings rlimits; /* "NAME SOFT HARD" */
    int32_t nice;
    int32_t oom_score_adj;
    struct strings affinity;
    struct strings capabilities;
    bool seccomp;
    struct {
        bool hide_state;
        struct strings read;
        struct strings write;
    } paths;
};

/* A way into an application. */
struct python_target {
    struct slice name; /* empty: the only one */
    const char *module;
    const char *callable;
    const char *prefix; /* NULL: none */
    bool factory;
};

/* Of the types `command`, `inetd` and `stream`, and of others with the protocol `stream`. */
struct program_conf {
    const char *executable; /* NULL: of another type */
    struct strings arguments;
    const char *stop_signal; /* "TERM" */
    int64_t stop_grace_ms;
    const char *restart; /* "always" */
    const char *ready;   /* "start", "notify", "fd:3" */
    int64_t ready_timeout_ms;
    const char *replace;  /* "stop-first" */
    int64_t every_ms;     /* 0: not by an interval */
    const char *calendar; /* NULL: not by the calendar */
    bool overlap;
    int32_t connections_max;        /* stream: 0, as many as threads */
    int32_t connections_per_source; /* 0: no limit */
    int64_t total_timeout_ms;       /* 0: none */
    int64_t idle_timeout_ms;        /* 0: none */
    const char *choice;             /* "round_robin" */
    bool client_stderr;
};

struct app_conf {
    struct slice name;
    const char *type;                 /* as written */
    const char *language;             /* "python", "inetd" */
    bool is_program;                  /* of type `command` or `inetd` */
    bool is_stream;                   /* its workers take connections */
    const struct conf_module *module; /* NULL when validated without modules */
    struct processes_conf processes;
    int64_t timeout_ms; /* limits.timeout, 0: none */
    int32_t requests;   /* limits.requests, 0: none */
    const char *user;   /* NULL: default */
    const char *group;
    const char *working_directory;
    struct strings environment; /* "NAME=VALUE" */
    const char *stdout_path;
    const char *stderr_path;
    int32_t threads;           /* of each worker */
    int32_t thread_stack_size; /* 0: the system's */
    struct isolation_conf isolation;
    struct {
        struct python_target own;            /* without `targets` */
        const struct python_target *targets; /* one or more */
        size_t n_targets;
        const char *protocol; /* NULL: what the callable looks like */
        const char *home;
        struct strings path;
    } python;
    struct program_conf program;
    struct strings listen; /* addresses of the listeners whose connections it gets itself */
    struct slice json;     /* canonical: the application's compact text, for equality */
};

struct http_conf {
    int64_t header_read_timeout_ms;
    int64_t body_read_timeout_ms;
    int64_t send_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t max_body_size;
    int64_t body_buffer_size;
    int64_t large_header_buffer_size;
    int32_t large_header_buffers;
    const char *body_temp_path; /* NULL: --tmpdir */
    bool discard_unsafe_fields;
    bool server_version;
    bool chunked_transform;
    bool log_route;
    const struct mime *mime;
};

/* Half of the places: there is room for others beside them. */
#define ROUTERS_CONF_MAX 8
#define COUNT_AUTO       (-1) /* "auto" where a number may stand */

struct routers_conf {
    int32_t n; /* 0: as many as the command line says */
    int32_t priority;
    int64_t rlimit_nofile; /* -1: as main */
    int64_t rlimit_core;
    struct strings affinity; /* "auto", or a list of processors for each router */
    const char *working_directory;
    const char *user; /* NULL: of --user */
    const char *group;
    struct strings supplementary_groups; /* p NULL: those of the user */
    bool dumpable;
    struct strings signal_mask; /* "HUP" */
};

struct shutdown_conf {
    int64_t timeout_ms;
    int64_t delay_ms;
};

enum generation_state {
    GENERATION_PREPARED,
    GENERATION_LIVE,
    GENERATION_RETIRING,
    GENERATION_FREE
};

struct generation {
    struct arena arena;
    uint32_t number;
    unsigned refs;
    enum generation_state state;
    const struct json *tree; /* what it was made from: GET /config */
    struct listener_conf *listeners;
    size_t n_listeners;
    struct route_conf *routes;
    size_t n_routes;
    bool named_routes;
    struct app_conf *apps;
    size_t n_apps;
    struct http_conf http;
    struct routers_conf routers;
    struct shutdown_conf shutdown;
    const char *access_log;   /* path, or NULL */
    struct map app_by_name;   /* -> struct app_conf * */
    struct map route_by_name; /* -> struct route_conf *; of named routes */
    struct map listener_by_address;
};

/*
 * An empty one with one reference and no tree.
 *   cap   bytes that texts parsed into its arena may take, 0: no cap; generation_fill lifts it
 */
struct generation *generation_new(uint32_t number, size_t cap);

/*
 * generation_fill - validate the tree, then make the structs; once.
 *
 *   tree   in g->arena (or in one that outlives g)
 *
 * 0, or -EBADMSG (fault says where and why): then only generation_unref is left.
 */
int generation_fill(struct generation *g, const struct json *tree,
                    const struct conf_modules *modules, struct conf_fault *fault);

struct generation *generation_ref(struct generation *g);
/* Takes one reference away; the last one frees everything. */
void generation_unref(struct generation *g);

/* The one setter of state: PREPARED -> LIVE -> RETIRING, PREPARED -> RETIRING; asserts. */
void generation_move(struct generation *g, enum generation_state state);

/*
 * generation_resolve - where does this computed `pass` of a request lead?  No allocation.
 * false: nowhere (404), or to an application that takes no requests.
 */
bool generation_resolve(const struct generation *g, struct slice pass, struct destination *ret_to);

const struct app_conf *generation_app(const struct generation *g, struct slice name);
/* It takes connections of `tcp` listeners, no requests. */
bool app_conf_accepts(const struct app_conf *app);
/* Is it the same application: its own text, and the listeners that it accepts from? */
bool app_conf_same(const struct app_conf *a, const struct app_conf *b);
const struct listener_conf *generation_listener(const struct generation *g, struct slice address);

#endif
