/*
 * fuzz_message.c - any bytes as datagrams on a line, as a peer of any role might send them.
 *
 *   input: [sender's role][receiver's role] [length, 2 bytes][descriptors][bytes …] …
 *
 * What is delivered is what the table allows; no descriptor is left open by what is not.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/channel.h"

#define FDS_MAX 8

static enum role_id sender, receiver;

static void
must(bool truth)
{
    if (!truth)
        abort();
}

static void
on_message(struct channel *ch, struct message *m)
{
    const struct msg_info *info = &msg_info[m->type];
    const char *payload = m->payload;

    (void)ch;
    must(message_may(m->type, sender, receiver));
    must(m->n_fds >= info->fds_min && m->n_fds <= info->fds_max);
    must(info->text_end == 0 || payload[info->text_end] == '\0');
    for (unsigned i = 0; i < m->n_fds; i++)
        must(m->fds[i] >= 0);
}

static void
on_gone(struct channel *ch)
{
    (void)ch;
}

static const struct channel_ops ops = {.on_message = on_message, .on_gone = on_gone};

static void throw(int fd, const uint8_t *bytes, size_t n, unsigned n_fds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
    } control = {0};
    struct iovec iov = {(void *)bytes, n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int fds[FDS_MAX] = {0}; /* stdin, n_fds times */

    if (n_fds > 0) {
        struct cmsghdr *c;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    if (sendmsg(fd, &msg, MSG_DONTWAIT) < 0)
        sendmsg(fd, &(struct msghdr){.msg_iov = &iov, .msg_iovlen = 1}, MSG_DONTWAIT);
}

static void
throw_all(int fd, struct channel *ch, const uint8_t *data, size_t n)
{
    while (n >= 3) {
        size_t length = br_min((size_t)(data[0] | data[1] << 8), n - 3);

        throw(fd, data + 3, length, data[2] % (FDS_MAX + 1));
        channel_pump(ch);
        data += 3 + length;
        n -= 3 + length;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct peer peer = {.pid = getpid()};
    struct channel *ch;
    int before = fd_count();
    int fds[2];

    if (n < 2)
        return 0;
    sender = peer.role = data[0] % ROLES;
    receiver = data[1] % ROLES;
    must(channel_pair(fds) == 0);
    ch = channel_new(NULL, fds[0], receiver, &peer, &ops, NULL);
    must(ch != NULL);
    throw_all(fds[1], ch, data + 2, n - 2);
    close(fds[1]);
    channel_free(ch);
    must(fd_count() == before);
    return 0;
}
