/*
 * app.c - the standard streams of an application: its own files, or the error log.
 */
#include "app/app.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static void
stream(const char *what, const char *path, int target, int log_fd)
{
    br_cleanup(fd_closep) int fd = -1;

    if (path != NULL) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) {
            br_log(LOG_ERROR, "cannot open \"%s\" for %s: %s", path, what, strerror(errno));
            return;
        }
        dup2(fd, target);
    } else if (log_fd >= 0) {
        dup2(log_fd, target);
    }
}

void
app_streams(const struct launch *card, int log_fd)
{
    stream("stdout", launch_get(card, "stdout", NULL), STDOUT_FILENO, log_fd);
    stream("stderr", launch_get(card, "stderr", NULL), STDERR_FILENO, log_fd);
}
