/*
 * buf.h - a growing byte buffer that cannot be made without a ceiling.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/slice.h"

struct buf {
    char *p;
    size_t n;       /* bytes in it */
    size_t room;    /* bytes allocated */
    size_t ceiling; /* bytes it may ever hold */
    int error;      /* first failure of an append, sticky: check once at the end */
};

void buf_init(struct buf *b, size_t ceiling);
void buf_done(struct buf *b);
void buf_clear(struct buf *b);

/* 0, -EMSGSIZE (ceiling), -ENOMEM; the error is also kept in b->error. */
int buf_reserve(struct buf *b, size_t more);
int buf_append(struct buf *b, const void *p, size_t n);
int buf_puts(struct buf *b, const char *text);
int buf_putc(struct buf *b, char c);
int buf_put(struct buf *b, struct slice s);
int buf_printf(struct buf *b, const char *fmt, ...) br_printf(2, 3);
int buf_vprintf(struct buf *b, const char *fmt, va_list args) br_printf(2, 0);

/* Drop the first n bytes. */
void buf_consume(struct buf *b, size_t n);

static inline struct slice
buf_slice(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}

#endif
