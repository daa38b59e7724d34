/*
 * broodctl_input.c - a configuration from a file or from stdin.
 */
#include "programs/broodctl_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "conf/conf_store.h"

#define READ_BYTES 65536

static int
read_to_end(int fd, struct buf *b)
{
    for (;;) {
        int rc = buf_reserve(b, READ_BYTES);
        ssize_t n = rc < 0 ? rc : read(fd, b->p + b->n, READ_BYTES);

        if (n > 0)
            b->n += (size_t)n;
        else if (rc < 0)
            return rc;
        else if (n == 0)
            return 0;
        else if (errno != EINTR)
            return -errno;
    }
}

enum ctl_exit
input_read(struct arena *a, const char *path, struct slice *ret_text, const char **ret_origin)
{
    bool is_stdin = path == NULL || strcmp(path, "-") == 0;
    br_cleanup(fd_closep) int fd = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    struct buf b;
    int rc;

    *ret_origin = is_stdin ? "<stdin>" : path;
    if (fd < 0 && !is_stdin)
        return ctl_fail(CTL_REFUSED, "cannot open \"%s\": %s", path, strerror(errno));
    buf_init(&b, CONF_STORE_BYTES_MAX + READ_BYTES);
    rc = read_to_end(is_stdin ? STDIN_FILENO : fd, &b);
    arena_on_done(a, free, b.p);
    if (rc < 0)
        return ctl_fail(CTL_REFUSED, "cannot read %s: %s", *ret_origin, strerror(-rc));
    *ret_text = buf_slice(&b);
    return CTL_OK;
}

enum ctl_exit
input_parse(struct arena *a, const char *path, struct json **ret_value, const char **ret_origin)
{
    struct br_err err = BR_ERR_NONE;
    struct json_place place;
    struct slice text = SLICE_NONE;
    size_t offset = JSON_NOWHERE;
    enum ctl_exit code = input_read(a, path, &text, ret_origin);

    if (code != CTL_OK || json_parse(a, text, ret_value, &offset, &err) == 0)
        return code;
    if (offset != JSON_NOWHERE && json_locate(text, offset, &place))
        fprintf(stderr, "%s:%u:%u: %s\n", *ret_origin, place.line, place.column, err.text);
    else
        fprintf(stderr, "%s: %s\n", *ret_origin, err.text);
    return CTL_REFUSED;
}

bool
input_agrees(const char *question, bool usual)
{
    char line[64];

    fflush(stdout);
    fprintf(stderr, "%s %s ", question, usual ? "[Y/n]" : "[y/N]");
    if (fgets(line, sizeof(line), stdin) == NULL) {
        putc('\n', stderr);
        return false;
    }
    return line[0] == '\n' ? usual : line[0] == 'y' || line[0] == 'Y';
}

bool
input_is_given(void)
{
    struct stat st;

    return fstat(STDIN_FILENO, &st) == 0 &&
           (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

enum ctl_exit
input_token(struct arena *a, const char *path, const char **ret_token)
{
    struct slice text = SLICE_NONE, line, word, last = SLICE_NONE;
    const char *origin;
    enum ctl_exit code = input_read(a, path, &text, &origin);

    if (code != CTL_OK)
        return code;
    while (last.n == 0 && slice_split(&text, '\n', &line)) {
        line = slice_trim(line);
        while (line.n > 0 && line.p[0] != '#' && slice_split(&line, ' ', &word))
            last = word;
    }
    for (size_t i = 0; i < last.n; i++) {
        if (last.p[i] <= ' ' || last.p[i] > '~')
            last.n = 0;
    }
    if (last.n == 0)
        return ctl_fail(CTL_REFUSED, "there is no token in %s", origin);
    *ret_token = arena_cstr(a, last);
    return CTL_OK;
}
