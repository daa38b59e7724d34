/*
 * hello.h - what a script's library tells the server that it has just executed.
 *
 * One text on the control socket, u32 length in front: strings `name=value`, each with its NUL.
 *
 *   listen=N call=N watchi=N watche=N   inherited descriptors (watchi, watche: closed by us)
 *   start=SECS.NSECS    the server's start time, from the variable
 *   mark=brood1         the wrapper that started us announced itself
 *   pid=N               of the interpreter that forks
 *   script=NAME         for logs
 *   word=W              what stood in front of the script's arguments, each word; in order
 *   file=PATH           to be checked before each call, each
 *   max_servers=N idle_timeout=SECONDS max_errors=N   negative: none
 *   log_facility=NAME   "LOG_USER", "user"; empty: no log
 *   spare=N             forked children that wait for a call; 0 to 64
 *   int_grace=SECONDS term_grace=SECONDS   between INT, TERM and KILL for a caller's death
 *   max_calls=N         then a new server; 0: no limit
 *   feat=cwd,...        what the library's executors understand
 *
 * Names that are not known are passed over: a library may be newer than we are.
 */
#ifndef INTERP_HELLO_H
#define INTERP_HELLO_H

#include <time.h>

#include "base/arena.h"
#include "base/err.h"

#define HELLO_BYTES_MAX (8u * 1024 * 1024)
#define HELLO_SPARE_MAX 64

struct hello {
    int listen, call, watchi, watche;
    int64_t pid;
    struct timespec start;
    bool mark;
    const char *script;
    const char **words;
    size_t n_words;
    const char **files;
    size_t n_files;
    int64_t max_servers, idle_timeout_s, max_errors, spare, max_calls;
    int64_t int_grace_s, term_grace_s;
    const char *log_facility;
    const char *features;
};

/* Is this word among the features? */
bool hello_can(const struct hello *h, const char *feature);

/* Everything is copied into a.  0 or -EINVAL and a sentence that names the string. */
int hello_read(struct hello *h, struct arena *a, struct slice text, struct br_err *err);

#endif
