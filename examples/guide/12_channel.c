/*
 * 12_channel.c - messages with descriptors: a child opens a file and hands it over.
 *
 *   ./12_channel FILE
 *
 * The parent has no right to the path, or no idea of it; it gets the open file and who sent it.
 */
#include <brood/brood.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void
on_message(struct br_channel *channel, struct br_message *m, void *arg)
{
    pid_t child = *(pid_t *)arg;
    char text[256];
    ssize_t n;

    if (m == NULL) { /* the other end is closed */
        br_channel_close(channel);
        return;
    }
    n = m->n_fds == 1 ? read(m->fds[0], text, sizeof(text)) : -1;
    printf("%.*s, from %s: %.*s", (int)m->n, (const char *)m->p,
           m->pid == child ? "my child" : "a stranger", n > 0 ? (int)n : 0, text);
    /* m->fds[0] is closed when we return; to keep it, copy it and set it to -1 */
}

static void
on_end(struct br_channel *channel, struct br_message *m, void *arg)
{
    (void)arg;
    if (m == NULL)
        br_channel_close(channel);
}

/* In the child, where the loop is empty. */
static int
hand_over(struct br_loop *loop, int fd, const char *path)
{
    struct br_channel *channel = br_channel_new(loop, fd, on_end, NULL);
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (channel == NULL || file < 0)
        return 1;
    if (br_channel_send(channel, "here it is", 10, &file, 1) < 0) /* file is the channel's now */
        return 1;
    br_channel_close(channel);
    return 0;
}

int
main(int argc, char **argv)
{
    struct br_loop *loop = br_loop_new();
    int ends[2];
    pid_t pid;

    if (loop == NULL || argc < 2 || br_channel_pair(ends) < 0)
        return 2;
    pid = br_loop_fork(loop);
    if (pid < 0)
        return 1;
    if (pid == 0) {
        close(ends[0]);
        _exit(hand_over(loop, ends[1], argv[1]));
    }
    close(ends[1]);
    if (br_channel_new(loop, ends[0], on_message, &pid) == NULL ||
        br_child_watch(loop, pid, NULL, NULL) == NULL)
        return 1;
    br_loop_run(loop); /* holds: the channel, and the child */
    br_loop_free(loop);
    return 0;
}
