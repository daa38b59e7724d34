/*
 * patience.c - wait for a greeting.
 *
 *   poll 2 s --nothing--> is it alive (a query, on a connection of its own)? --no--> kill it
 *      ^-----------------------------yes: it is full-----------'
 */
#include "interp/patience.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
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

/* It hangs: true when it was ours to kill. */
static bool
put_down(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.pid <= 0)
        return false;
    complain("server %d hangs: replacing it", (int)peer.pid);
    return kill(peer.pid, SIGKILL) == 0;
}

enum request_outcome
patience_greeting(int fd, const struct rundir *dir, const struct names *names, int64_t wait_s,
                  struct greeting *ret, uint8_t magic[4])
{
    int64_t began = clock_us();
    bool told = false;

    while (!has_come(fd, LOOK_MS)) {
        int64_t waited_s = (clock_us() - began) / 1000000;
        char *text = NULL;
        enum query_outcome answer;

        if (wait_s >= 0 && waited_s >= wait_s)
            return REQUEST_TOO_SLOW;
        answer = query_server(dir, names->socket, HUNG_MS, &text);
        free(text);
        /* Silent and still not greeted; one of the original library is never asked. */
        if (answer == QUERY_HUNG && !has_come(fd, 0) && put_down(fd))
            return REQUEST_NO_SERVER;
        if (!told && isatty(STDERR_FILENO))
            complain("waiting for a free place");
        told = true;
    }
    return request_greeting(fd, -1, ret, magic);
}
