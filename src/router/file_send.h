/*
 * file_send.h - answer GET or HEAD with a file: conditions, ranges, body.
 */
#ifndef ROUTER_FILE_SEND_H
#define ROUTER_FILE_SEND_H

struct transaction;
struct file;

/* Takes over one reference to the file, which is kept in tx until the request is done. */
void file_send(struct transaction *tx, struct file *file);

#endif
