/*
 * cert_store.h - certificate bundles on disk: STATE/certs/NAME, the PEM as it was uploaded.
 *
 * Used by main, which looks into none of them.  Directory and files are for their owner alone, and
 * hold private keys.  Each is replaced whole: whatever dies, a name has its old bytes or its new
 * ones.
 */
#ifndef CONF_CERT_STORE_H
#define CONF_CERT_STORE_H

#include "base/buf.h"
#include "conf/conf_store.h"

#define CERT_STORE_NAME_MAX 255 /* bytes, as a file name */

/* May it be a bundle's name?  Not empty, no '/', no NUL, neither "." nor "..", not too long. */
bool cert_store_name_ok(struct slice name);

/* Write the bytes of fd (from offset 0; stays yours), sync them, give them that name. */
int cert_store_save(const struct conf_store *store, const char *name, int fd, struct br_err *err);

/* 0, -ENOENT without a sentence, or -errno. */
int cert_store_remove(const struct conf_store *store, const char *name, struct br_err *err);

/* Opened for reading.  0, -ENOENT without a sentence, or -errno. */
int cert_store_open(const struct conf_store *store, const char *name, int *ret_fd,
                    struct br_err *err);

/* Append all names, each with a NUL behind it, in no order; no directory is no error. */
int cert_store_list(const struct conf_store *store, struct buf *names, struct br_err *err);

#endif
