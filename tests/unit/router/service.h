/*
 * service.h - a whole router in one process: the test plays main, controller, client and worker.
 *
 *   client --TCP--> listener of the fake main --> router <== nest ==> lane of the test
 *   controller, main <--channels--> router
 *
 * Everything runs in turns of one loop (service_until), so no test waits for time to pass.
 */
#ifndef TESTS_ROUTER_SERVICE_H
#define TESTS_ROUTER_SERVICE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/dispatch.h"
#include "ipc/status.h"
#include "nest/lane.h"
#include "nest/port.h"
#include "nest/wire.h"
#include "process/process.h"
#include "router/router.h"
#include "router/router_role.h"

#define SOCKETS_MAX 4
#define TURNS_MAX   20000

/* A listening socket of the fake main, known by the name that the router asks for. */
struct socket_of_main {
    char name[64];
    int fd;
    uint16_t port;
};

struct service {
    struct task task;
    struct br_role role;
    struct settings settings;
    struct process process;
    struct channel *main_end;       /* what main holds */
    struct channel *controller_end; /* what the controller holds */
    struct channel *worker_end;     /* what a worker holds, once there is one */
    int wake_fd;
    char dir[64];

    struct socket_of_main sockets[SOCKETS_MAX];
    unsigned n_sockets;
    int open_rc;      /* what main answers to OPEN, 0: it opens */
    unsigned n_opens; /* questions asked so far */

    bool prepared;
    struct msg_result result;
    bool live;
    uint32_t retired; /* generation last said to be retired */
    struct status_router *status;
    bool body_came;
    struct msg_slot body;
    int body_fd;

    struct nest *nest;
    int nest_fd;
    int bell;
    struct lane *lane;
};

/* For cmocka: makes and frees *state. */
int service_start(void **state);
int service_stop(void **state);
struct router *service_router(struct service *s);

/* A turn of the loop; false when it was told to stop. */
bool service_turn(struct service *s);

#define service_until(s, condition)                          \
    do {                                                     \
        unsigned turns_ = 0;                                 \
        while (!(condition)) {                               \
            service_turn(s);                                 \
            if (++turns_ > TURNS_MAX)                        \
                fail_msg("never came true: %s", #condition); \
        }                                                    \
    } while (0)

/* The fake main's socket of that name, made at first use. */
struct socket_of_main *service_socket(struct service *s, const char *name);
/* A line between the router and `role`; the test's end. */
struct channel *service_line(struct service *s, enum role_id role, const struct channel_ops *ops,
                             uint32_t launch, uint32_t instance);

/* CONF_PREPARE up to its answer in s->result; CONF_COMMIT up to CONF_LIVE; both. */
void service_prepare(struct service *s, uint32_t generation, const char *conf,
                     const char *launches);
void service_commit(struct service *s, uint32_t generation);
void service_configure(struct service *s, uint32_t generation, const char *conf,
                       const char *launches);

/* --- a client --- */

struct client {
    int fd;
    struct buf in;
    bool eof;
};

void client_connect(struct service *s, struct client *c, const char *listener);
void client_say(struct client *c, const char *text);
void client_read(struct client *c);
void client_close(struct client *c);

/* A response as the client sees it; text stays the client's until it reads on. */
struct reply {
    unsigned status;
    struct slice head;
    struct slice body;
};

struct slice reply_field(const struct reply *r, const char *name);
/* Is the first response in c->in whole?  Chunked bodies stay as they are on the wire. */
bool client_has_reply(struct client *c, bool head_only, struct reply *ret);
struct reply client_reply(struct service *s, struct client *c, bool head_only);
/* The answer is read; the next one begins. */
void client_next(struct client *c, const struct reply *r);

#define assert_slice(got, want)                                               \
    do {                                                                      \
        struct slice got_ = (got);                                            \
        if (!slice_eq(got_, slice_cstr(want)))                                \
            fail_msg("\"" SLICE_FMT "\", not \"%s\"", SLICE_ARG(got_), want); \
    } while (0)

/* --- an application: a nest, and the test is its only lane --- */

void service_app(struct service *s, uint32_t launch, uint32_t instance);
void service_app_leave(struct service *s);
void service_tell_gone(struct service *s, uint32_t launch, uint32_t instance);
/* The next request of the application. */
void app_take(struct service *s, struct claim *c, struct wire_request *r);
/* A head with one field, the body behind it. */
uint32_t app_head(char *p, unsigned status, const char *name, const char *value, int64_t length);
void app_answer(struct service *s, const struct claim *c, unsigned status, const char *name,
                const char *value, const char *body);

extern const struct channel_ops controller_ops, worker_ops;

#endif
