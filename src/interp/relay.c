/*
 * relay.c - the wrapper while the service runs.
 *
 *   signal --handler: a bit--> ppoll ends --> 'S' frame --> server --> the service's process group
 *   server --> 'W' status | 'T' stopped
 *
 * Signals are blocked but inside ppoll, so none is lost between a look and a sleep.  Part of the
 * fast path.
 */
#include "interp/relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "interp/wire.h"

#define PATIENCE_MS 5000

static const int relayed[] = {SIGINT,  SIGTERM,  SIGQUIT, SIGHUP, SIGUSR1,
                              SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};

static volatile uint64_t caught; /* bit s-1: signal s came */
static sigset_t open_mask;       /* from before relay_catch */
static bool catching;

struct relay {
    int fd;
    int64_t first_ms; /* when the first INT or TERM went down; 0: none did */
    uint8_t frame[WIRE_FRAME_UP];
    size_t have;
};

static void catch (int signal)
{
    caught |= 1ull << (signal - 1);
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
set_action(int signal, void (*handler)(int), struct sigaction *ret_old)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    sigfillset(&action.sa_mask);
    sigaction(signal, &action, ret_old);
}

void
relay_catch(void)
{
    sigset_t set;
    struct sigaction old;

    if (catching)
        return;
    catching = true;
    sigemptyset(&set);
    for (size_t i = 0; i < array_len(relayed); i++)
        sigaddset(&set, relayed[i]);
    sigprocmask(SIG_BLOCK, &set, &open_mask);
    for (size_t i = 0; i < array_len(relayed); i++) {
        set_action(relayed[i], catch, &old);
        if (old.sa_handler == SIG_IGN)
            sigaction(relayed[i], &old, NULL);
    }
}

void
relay_release(void)
{
    if (catching)
        sigprocmask(SIG_SETMASK, &open_mask, NULL);
    catching = false;
}

/* Die of it, as if we had never caught it. */
static void
die_of(int signal)
{
    sigset_t set;

    set_action(signal, SIG_DFL, NULL);
    sigemptyset(&set);
    sigaddset(&set, signal);
    kill(getpid(), signal);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
send_signals(struct relay *r)
{
    for (size_t i = 0; i < array_len(relayed); i++) {
        int signal = relayed[i];
        uint8_t frame[WIRE_FRAME_DOWN] = {WIRE_SIGNAL, (uint8_t)signal};

        if ((caught >> (signal - 1) & 1) == 0)
            continue;
        caught &= ~(1ull << (signal - 1));
        if (signal == SIGINT || signal == SIGTERM) {
            if (r->first_ms != 0 && now_ms() - r->first_ms >= PATIENCE_MS)
                die_of(signal);
            if (r->first_ms == 0)
                r->first_ms = now_ms();
        }
        /* A server that is gone is noticed when we read. */
        send(r->fd, frame, sizeof(frame), MSG_NOSIGNAL);
    }
}

/* One frame is there.  true: it was the status. */
static bool
take_frame(struct relay *r, uint32_t *ret_status)
{
    uint32_t value = wire_u32(r->frame + 1);

    r->have = 0;
    if (r->frame[0] == WIRE_STATUS) {
        *ret_status = value;
        return true;
    }
    /* SIGSTOP, since SIGTSTP is discarded in a process group without a shell. */
    if (r->frame[0] == WIRE_STOPPED)
        kill(getpid(), SIGSTOP);
    return false;
}

static enum relay_outcome
wait_extended(int fd, uint32_t *ret_status)
{
    struct relay r = {.fd = fd};

    relay_catch();
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = ppoll(&p, 1, NULL, &open_mask);
        ssize_t got;

        if (caught != 0)
            send_signals(&r);
        if (n <= 0)
            continue;
        got = recv(fd, r.frame + r.have, sizeof(r.frame) - r.have, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return RELAY_LOST;
        r.have += (size_t)got;
        if (r.have == sizeof(r.frame) && take_frame(&r, ret_status))
            return RELAY_ENDED;
    }
}

static enum relay_outcome
wait_plain(int fd, uint32_t *ret_status)
{
    uint8_t status[4];
    size_t have = 0;

    while (have < sizeof(status)) {
        ssize_t got = recv(fd, status + have, sizeof(status) - have, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return RELAY_LOST;
        have += (size_t)got;
    }
    *ret_status = wire_u32(status);
    return RELAY_ENDED;
}

enum relay_outcome
relay_wait(int fd, const struct greeting *g, uint32_t *ret_status)
{
    return g->extended ? wait_extended(fd, ret_status) : wait_plain(fd, ret_status);
}

/* Signals that say nothing when they kill: reproduced; of others there is something to print. */
static bool
is_quiet(int signal)
{
    return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGPIPE ||
           signal == SIGKILL;
}

enum relay_end
relay_end(uint32_t status, bool exact, int *ret_code)
{
    static const struct rlimit no_core = {0, 0};
    int wait_status = (int)status;

    *ret_code = 127;
    if (status > INT32_MAX)
        return RELAY_UNPRINTED;
    if (WIFEXITED(wait_status)) {
        *ret_code = WEXITSTATUS(wait_status);
        return RELAY_EXIT;
    }
    if (!WIFSIGNALED(wait_status))
        return RELAY_UNPRINTED;
    if (exact)
        setrlimit(RLIMIT_CORE, &no_core);
    if (exact || (!WCOREDUMP(wait_status) && is_quiet(WTERMSIG(wait_status))))
        die_of(WTERMSIG(wait_status));
    return RELAY_UNPRINTED;
}
