/*
 * fd.h - descriptors: one owner, closed at the end of scope, close-on-exec from birth.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <sys/types.h>

#include "base/err.h"

/* For br_cleanup: closes *fd unless negative. */
void fd_closep(int *fd);
/* Take the descriptor out of its variable, which becomes -1. */
int fd_take(int *fd);
/* Close unless negative, keep errno, set to -1. */
void fd_close(int *fd);

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* A new memfd of that size with sealing allowed, close-on-exec.  fd or -errno. */
int fd_memfd(const char *name, size_t size);
/* A memfd that holds these bytes, sealed against writing and resizing.  fd or -errno. */
int fd_memfd_sealed(const char *name, const void *p, size_t n);

/* Is it a memfd that can neither change nor shrink: reading it can neither block nor fault. */
bool fd_is_sealed(int fd);

/* Blocking, whole, EINTR absorbed.  0 or -errno (-EPIPE at early end of file for read). */
int fd_write_all(int fd, const void *p, size_t n);
int fd_read_exact(int fd, void *p, size_t n);
/* The whole file from offset 0 by pread, malloc'ed and NUL-terminated.  -EFBIG over limit. */
int fd_read_file(int fd, size_t limit_bytes, char **ret_text, size_t *ret_n);
/* The same by path. */
int fd_read_path(const char *path, size_t limit_bytes, char **ret_text, size_t *ret_n);

/* Open descriptors of this process, from /proc/self/fd; -errno when it cannot be read. */
int fd_count(void);

#endif
