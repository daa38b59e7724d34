/*
 * messages.h - the messages of messages.def: payloads, names, sizes, directions.
 *
 * A receiver checks sender, length and number of descriptors (message_check) before it looks
 * inside; bounded strings are NUL-terminated by that check.  Nothing here is ever trusted further
 * than its type: an index is still compared with the table it indexes.
 */
#ifndef IPC_MESSAGES_H
#define IPC_MESSAGES_H

#include "base/slice.h"
#include "process/role.h"

enum msg_type {
    MSG_NONE,
#define MSG(name, payload, routes, least, most, reply, doc) MSG_##name,
#include "ipc/messages.def"
#undef MSG
    MSGS,
};

struct msg_none {
    uint32_t unused;
};

struct msg_process {
    uint32_t role; /* enum role_id */
    int32_t pid;
    uint32_t index;    /* router number, or a worker's lane */
    uint32_t launch;   /* prototype, worker */
    uint32_t instance; /* prototype, worker */
    int32_t status;    /* PROCESS_GONE: as waitpid(2) */
};

struct msg_failed {
    struct msg_process process;
    int32_t rc;
    char text[2048];
};

struct msg_launch {
    uint32_t launch;
};

struct msg_live {
    uint32_t launch;
    uint32_t alone; /* 1: not while an older launch of the same application runs */
};

struct msg_drain {
    uint32_t grace_ms;
    uint32_t staying; /* bit i: the i-th listening socket of its card is accepted from by others */
};

#define MSG_ROUTERS_MAX    16u /* routers at a time, those that drain included */
#define MSG_AFFINITY_WORDS 4u  /* a mask of 256 processors */
#define MSG_GROUPS_MAX     256u

/* How routers are made, and how all leave. */
struct msg_routers {
    uint32_t n; /* 0: as many as the command line says */
    int32_t priority;
    int64_t rlimit_nofile; /* -1: as main */
    int64_t rlimit_core;
    uint32_t timeout_ms; /* a drain takes no longer */
    uint32_t delay_ms;   /* before it begins */
    uint32_t affinity_auto;
    uint32_t n_affinity; /* masks: the i-th router has the i-th of them, round and round */
    uint64_t affinity[MSG_ROUTERS_MAX][MSG_AFFINITY_WORDS];
    char working_directory[512]; /* "": that of main */
    uint64_t signal_mask;        /* bit n - 1: signal n is blocked */
    uint32_t dumpable;
    uint32_t own_ids; /* the ids below, instead of those of --user */
    uint32_t uid;
    uint32_t gid;
    uint32_t n_groups;
    uint32_t unused; /* no holes: main compares bytes */
    uint32_t groups[MSG_GROUPS_MAX];
};

struct msg_nest {
    uint32_t launch;
    uint32_t instance;
    uint64_t size; /* bytes of the mapping */
};

struct msg_slot {
    uint32_t slot;
    uint32_t generation;
    uint64_t size; /* BODY_FILE: bytes in the file */
};

struct msg_lane {
    uint32_t lane;
    uint32_t slot;
    uint32_t generation;
};

struct msg_connection {
    uint32_t peer_length;
    uint32_t unused;
    uint8_t peer[128]; /* struct sockaddr_storage */
};

struct msg_stored {
    int32_t rc;       /* 0, or why what was kept cannot be read */
    uint32_t version; /* of the program that kept it, 0: nobody said */
    uint32_t unit;    /* that program was NGINX Unit */
    uint32_t reload;  /* the file was read again: CONF_RELOADED with this number, please; 0: no */
};

struct msg_conf {
    uint32_t generation;
};

struct msg_result {
    uint32_t generation; /* CONF_PREPARED; of CONF_RELOADED the number of the reload */
    int32_t rc;          /* 0 or -errno */
    char text[1024];
};

enum open_kind {
    OPEN_LISTENER,     /* name: address as in the configuration; value: backlog */
    OPEN_CONTROL,      /* the control socket; name unused */
    OPEN_ACCESS_LOG,   /* name: path */
    OPEN_CONF,         /* SAVE, KEEP: the configuration */
    OPEN_CERTIFICATES, /* the names of all bundles, each with a NUL behind it */
    OPEN_CERTIFICATE,  /* name: of a bundle; also SAVE, REMOVE */
    OPEN_INCLUDE,      /* name: pattern of the file of --config; what conf/conf_include.h reads */
    OPEN_KINDS,
};

struct msg_open {
    uint32_t kind;
    int32_t value;
    uint32_t reserve; /* OPEN_LISTENER: bind, listen when asked again without; hush if it listens */
    char name[512];
};

struct msg_history {
    uint64_t number; /* 0: the list */
};

struct msg_info {
    const char *name;
    uint32_t size;
    uint64_t routes;   /* MSG_ROUTE(from, to) of each pair that may say it */
    uint32_t text_end; /* offset of the last byte of the payload's text, 0: it has none */
    uint8_t fds_min;
    uint8_t fds_max;
    enum msg_type reply;
    const char *doc;
};

extern const struct msg_info msg_info[MSGS];

#define MSG_FDS_MAX     4
#define MSG_PAYLOAD_MAX 4096

#define MSG_ROUTE(from, to) (UINT64_C(1) << ((from)*ROLES + (to)))

/* May that role say this to the other. */
bool message_may(enum msg_type type, enum role_id from, enum role_id to);
/* May these two roles have a line at all: some message goes one way or the other. */
bool roles_talk(enum role_id a, enum role_id b);

/*
 * message_check - is this what the table says?  Terminates the payload's strings.
 * 0, -EPROTO (unknown type, wrong length or descriptors), -EPERM (that role may not send it to this
 * one).
 */
int message_check(unsigned type, enum role_id from, enum role_id to, void *payload, size_t n,
                  unsigned fds);

#endif
