/*
 * patience.c - wait for a greeting.
 *
 *   poll 2 s --nothing--> is it still starting (the lock)? --no--> is it alive (a query, on a
 *      ^                           | yes                            connection of its own)?
 *      `---------------------------'<-----------yes: it is full--------'      | no: kill it
 *
 * Until a server has listened itself, the kernel names the wrapper that made its socket as the
 * peer: so while somebody holds the lock nobody is killed, and whom to kill is what the newest
 * connection says, not ours, which may be older.
 */
#include "interp/patience.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "interp/complaint.h"
#include "interp/query.h"

#define LOOK_MS 2000
#define HUNG_MS 10000

static bool
has_come(int fd, int wait_ms)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};

    return poll(&one, 1, wait_ms) != 0;
}

/* Somebody holds the lock, and it is not us. */
static bool
is_starting(const struct rundir *dir, const struct names *names, bool locked)
{
    struct br_err ignored = BR_ERR_NONE;
    br_cleanup(fd_closep) int fd = locked ? -1 : lock_take(dir, names->lock, false, &ignored);

    return !locked && fd == -EAGAIN;
}

/* It hangs: true when it was ours to kill. */
static bool
put_down(pid_t pid)
{
    if (pid <= 0)
        return false;
    complain("server %d hangs: replacing it", (int)pid);
    return kill(pid, SIGKILL) == 0;
}

enum request_outcome
patience_greeting(int fd, const struct rundir *dir, const struct names *names, bool locked,
                  int64_t wait_s, struct greeting *ret, uint8_t magic[4])
{
    int64_t began = clock_us();
    bool told = false;

    while (!has_come(fd, LOOK_MS)) {
        int64_t waited_s = (clock_us() - began) / 1000000;
        char *text = NULL;
        pid_t server = 0;

        if (wait_s >= 0 && waited_s >= wait_s)
            return REQUEST_TOO_SLOW;
        if (is_starting(dir, names, locked)) {
            debug_step("it is still starting");
            continue;
        }
        /* Silent and still not greeted; one of the original library is never asked. */
        if (query_server(dir, names->socket, HUNG_MS, &text, &server) == QUERY_HUNG &&
            !has_come(fd, 0) && put_down(server))
            return REQUEST_NO_SERVER;
        free(text);
        if (!told && isatty(STDERR_FILENO))
            complain("waiting for a free place");
        told = true;
    }
    return request_greeting(fd, -1, ret, magic);
}
