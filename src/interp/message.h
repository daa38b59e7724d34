/*
 * message.h - the bytes of a request: scanned as they arrive, checked, turned into an executor's.
 *
 *   caller:    00 | 01 count   count x 00   u32 n   [attributes "" ] environment "" arguments
 *   executor:  attributes "" environment "" arguments
 *
 * Strings all end in NUL; "" is an empty one.  A stranger cannot send here (only this user can
 * connect), but a broken caller must not break the server.
 */
#ifndef INTERP_MESSAGE_H
#define INTERP_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"

enum message_progress { MESSAGE_MORE, MESSAGE_QUERY, MESSAGE_WHOLE, MESSAGE_BAD };

struct message_parts {
    bool extended;
    size_t n_fds;             /* that belong to it */
    size_t bytes;             /* of the input that it takes */
    struct slice attributes;  /* whole strings; without the empty one that ends them */
    struct slice environment; /* the same */
    struct slice arguments;
};

/* err is filled for MESSAGE_BAD. */
enum message_progress message_scan(struct slice in, struct message_parts *ret, struct br_err *err);

/*
 * message_for_executor - append what it is to read.
 *
 *   words   what stood before the arguments when the interpreter was started: dropped from a plain
 *           request that begins with just these, as the original wrapper's do
 */
void message_for_executor(const struct message_parts *parts, const char *const *words,
                          size_t n_words, struct buf *to);

/* Take the next string from *rest; false at the end. */
bool message_string(struct slice *rest, struct slice *ret);

#endif
