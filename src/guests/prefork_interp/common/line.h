/*
 * line.h - setup's and the interpreter's part of prefork-interp, for the libraries that are C.
 *
 *   given_read (the variable) -> line_open (two forks; the server is executed) -> line_hello
 *     -> line_serve (fork and reap, as the server says; returns in executors)
 *                                                               docs/interp.md, "Between library
 * and server"
 */
#ifndef GUESTS_LINE_H
#define GUESTS_LINE_H

#include "base/buf.h"

#define HELLO_MAX (8u * 1024 * 1024)

/* PREFORK_INTERP=v1,SECS.NSECS[,MARK...] LISTEN,CALL,WATCHI,WATCHE[,...][ server=PATH] */
struct given {
    char start[48];
    bool mark;
    int fds[4];        /* listen, call, watchi, watche */
    char server[4096]; /* empty: not told */
};

/* 0 or -EINVAL. */
int given_read(struct given *g, const char *variable);
/* Close-on-exec for the four, or not. */
void given_hide(const struct given *g, bool hide);

/* name=value, with its NUL.  Errors stay in hello->error. */
void hello_add(struct buf *hello, const char *name, const char *value);
void hello_add_number(struct buf *hello, const char *name, int64_t value);
/* The words of our own command line up to and with the script. */
void hello_add_words(struct buf *hello, const char *script);

/*
 * line_open - leave the caller: setup exits, the server is executed.
 *
 * Returns in the interpreter that stays.  All output must have been flushed.  0 or -errno (only in
 * setup: nothing has been forked).
 */
int line_open(const struct given *g, const char *server, const char *script, int *ret_line);
/* Standard streams pass on to what is executed next; Node has them closed there. */
void line_keep_stdio(void);
/* What the variable said is added to it. */
int line_hello(int line, const struct given *g, struct buf *hello);

/*
 * line_serve - the interpreter's life: fork, or reap.
 *
 * Returns in executors only, with their socket; the process ends with the line.  SIGCHLD has its
 * default action meanwhile, and in executors the one it had.
 */
int line_serve(int line);

/* Threads of this process, this one too. */
int count_threads(void);
/* A row of /proc/self/status that is a set of signals: SigIgn, SigBlk. */
uint64_t signal_row(const char *name);

#endif
