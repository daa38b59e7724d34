/*
 * query.c - ask a server about itself: connect, 02, u32 length, lines.
 *
 * A server of the original library takes the byte for a broken call; so only one whose process is
 * brood-interp is asked, by the credentials of who listened last.
 */
#include "interp/query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "interp/request.h"
#include "interp/wire.h"

/* Is that process the server program? */
static bool
is_ours(pid_t pid)
{
    char path[32], *name;
    size_t n;
    bool ours;

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    if (pid <= 0 || fd_read_path(path, 64, &name, &n) < 0)
        return false;
    ours = strcmp(name, "brood-interp\n") == 0;
    free(name);
    return ours;
}

enum query_outcome
query_server(const struct rundir *dir, const char *socket, int wait_ms, char **ret_text,
             pid_t *ret_pid)
{
    static const char query = WIRE_QUERY;
    struct timeval limit = {wait_ms / 1000, wait_ms % 1000 * 1000};
    enum request_outcome why;
    struct ucred peer;
    socklen_t n = sizeof(peer);
    uint8_t head[4];
    uint32_t length;
    char *text;
    br_cleanup(fd_closep) int fd = request_connect(dir, socket, true, &why);

    if (fd < 0)
        return why == REQUEST_NO_SERVER ? QUERY_DEAD : QUERY_BARRED;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || !is_ours(peer.pid))
        return QUERY_FOREIGN;
    if (ret_pid != NULL)
        *ret_pid = peer.pid;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (send(fd, &query, 1, MSG_NOSIGNAL) != 1 || fd_read_exact(fd, head, sizeof(head)) < 0)
        return QUERY_HUNG;
    length = wire_u32(head);
    if (length > WIRE_MESSAGE_MAX)
        return QUERY_HUNG;
    text = malloc((size_t)length + 1);
    if (text == NULL || fd_read_exact(fd, text, length) < 0) {
        free(text);
        return QUERY_HUNG;
    }
    text[length] = '\0';
    *ret_text = text;
    return QUERY_ANSWERED;
}

int
query_value(const char *text, const char *name, const char **ret)
{
    size_t n = strlen(name);

    for (const char *line = text; *line != '\0';) {
        size_t all = strcspn(line, "\n");

        if (all > n && strncmp(line, name, n) == 0 && line[n] == '=') {
            *ret = line + n + 1;
            return (int)(all - n - 1);
        }
        line += all + (line[all] == '\n');
    }
    return -1;
}
