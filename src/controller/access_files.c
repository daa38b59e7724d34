/*
 * access_files.c - opening, handing over and reading what guards the control address.
 *
 *   main: path --open, look at the mode--> descriptor --process_keep--> controller: text
 */
#include "controller/access_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/process.h"
#include "tls/bundle.h"

#define FILE_BYTES_MAX (1024u * 1024)

static const struct {
    const char *title; /* also the name under which it is kept */
    mode_t not_for;
    size_t place; /* of the path in struct settings */
} files_of[ACCESS_FILES] = {
    [ACCESS_TOKENS] = {"token file", S_IROTH | S_IWOTH | S_IWGRP,
                       offsetof(struct settings, control_tokens)},
    [ACCESS_CERTIFICATE] = {"certificate file", S_IROTH | S_IWOTH | S_IWGRP,
                            offsetof(struct settings, control_certificate)},
    [ACCESS_CLIENT_CA] = {"client CA file", S_IWOTH | S_IWGRP,
                          offsetof(struct settings, control_client_ca)},
};

const char *
access_file_title(enum access_file which)
{
    return files_of[which].title;
}

const char *
access_file_path(const struct settings *settings, enum access_file which)
{
    const char *path;

    memcpy(&path, (const char *)settings + files_of[which].place, sizeof(path));
    return path;
}

static int
open_one(const struct settings *settings, enum access_file which, int *ret_fd, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    const char *path = access_file_path(settings, which);
    const char *title = access_file_title(which);
    mode_t not_for = files_of[which].not_for;
    struct stat st;

    if (path == NULL)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return br_fail(err, -errno, "cannot open %s \"%s\"", title, path);
    if (!S_ISREG(st.st_mode))
        return br_fail(err, -EBADMSG, "%s \"%s\" is no regular file", title, path);
    if (st.st_mode & not_for)
        return br_fail(err, -EBADMSG,
                       "%s \"%s\" has mode %04o: others may %swrite it; use chmod %s", title, path,
                       st.st_mode & 07777, not_for & S_IROTH ? "read or " : "",
                       not_for & S_IROTH ? "600" : "go-w");
    *ret_fd = fd_take(&fd);
    return 0;
}

int
access_files_open(const struct settings *settings, struct access_files *ret, struct br_err *err)
{
    struct access_files files = ACCESS_FILES_NONE;
    int rc = 0;

    for (enum access_file i = 0; i < ACCESS_FILES && rc == 0; i++)
        rc = open_one(settings, i, &files.fd[i], err);
    if (rc == 0)
        *ret = files;
    else
        access_files_close(&files);
    return rc;
}

void
access_files_close(struct access_files *files)
{
    for (enum access_file i = 0; i < ACCESS_FILES; i++)
        fd_close(&files->fd[i]);
}

int
access_files_keep(struct access_files *files, struct process *process)
{
    int rc = 0;

    for (enum access_file i = 0; i < ACCESS_FILES && rc == 0; i++)
        if (files->fd[i] >= 0)
            rc = process_keep(process, access_file_title(i), fd_take(&files->fd[i]));
    access_files_close(files);
    return rc;
}

struct access_files
access_files_kept(const struct process *process)
{
    struct access_files files = ACCESS_FILES_NONE;

    for (enum access_file i = 0; i < ACCESS_FILES && process != NULL; i++)
        files.fd[i] = process_kept(process, access_file_title(i));
    return files;
}

int
access_files_read(const struct access_files *files, enum access_file which, struct slice *ret,
                  struct br_err *err)
{
    char *text;
    size_t n;
    int rc;

    *ret = SLICE_NONE;
    if (files->fd[which] < 0)
        return 0;
    rc = fd_read_file(files->fd[which], FILE_BYTES_MAX, &text, &n);
    if (rc < 0)
        return br_fail(err, rc, "cannot read the %s", access_file_title(which));
    *ret = slice_make(text, n);
    return 0;
}

void
access_files_wipe(struct slice text)
{
    if (text.p == NULL)
        return;
    bundle_wipe((char *)text.p, text.n);
    free((char *)text.p);
}
