/*
 * body.h - a request body: where it lay in the input, in memory, or in an unlinked file.
 *
 *   up to the rest of the input buffer    a slice of it, nothing is copied
 *   up to body_buffer_size                one piece of memory
 *   above                                 req-XXXXXX in body_temp_path, unlinked at once
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "base/buf.h"

struct http_limits;

struct body {
    uint64_t length;  /* bytes received; the whole once on_request is called */
    struct slice mem; /* all of it, unless it is in the file */
    int fd;           /* the file, or -1; offset is not to be relied on: pread, mmap, sendfile */
    bool present;     /* Content-Length was sent, 0 included, or the coding was chunked */
    bool in_heap;     /* heap holds mem; else mem is part of the input */
    struct buf heap;
};

void body_init(struct body *b);
/* Frees memory, closes the file. */
void body_done(struct body *b);

/*
 * body_expect - length is known and more than what lies in the input: reserve memory or make
 * the file.  0, -ENOMEM, or the errno of the file.
 */
int body_expect(struct body *b, uint64_t length, const struct http_limits *limits);
/* Add bytes; moves from memory to the file when body_buffer_size is passed.  0 or -errno. */
int body_add(struct body *b, const char *p, size_t n, const struct http_limits *limits);

/* Take the descriptor out; the body is then the caller's file.  -1 when it is in memory. */
int body_take_fd(struct body *b);

#endif
