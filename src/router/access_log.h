/*
 * access_log.h - one line for each request, in the combined format, written in batches.
 *
 * Lines gather during a turn of the loop and leave with one write(2) on a descriptor opened with
 * O_APPEND, always whole lines, so those of several routers never mix.
 */
#ifndef ROUTER_ACCESS_LOG_H
#define ROUTER_ACCESS_LOG_H

#include "base/buf.h"
#include "base/list.h"

struct request;

struct access_log {
    struct list link; /* in router->logs */
    unsigned refs;
    int fd;
    uint64_t lost; /* lines that could not be written since the last success */
    struct buf lines;
    char path[]; /* as configured */
};

/* fd is taken; one reference is yours. */
struct access_log *access_log_new(const char *path, int fd);
struct access_log *access_log_find(struct list *logs, const char *path);
/* Takes a reference away; the last one writes what is left and closes. */
void access_log_unref(struct access_log *log);

/* The file was rotated: go on with fd, which is taken. */
void access_log_reopen(struct access_log *log, int fd);

/* Add the line of a finished request.  Does not write, unless very much has gathered. */
void access_log_add(struct access_log *log, const struct request *req);
/* Write what has gathered.  Logs once when it cannot, and once when it can again. */
void access_log_flush(struct access_log *log);

/* The bytes of a value as they stand in a line: '"', '\' and control bytes as \xXX, "-" for none.
 */
void access_log_escape(struct buf *b, struct slice value);

#endif
