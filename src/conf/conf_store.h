/*
 * conf_store.h - the copy on disk: the state directory.
 *
 *   STATE/conf.json       compact JSON, replaced whole
 *   STATE/conf.json.new   written aside and synced; renamed when the change is live
 *   STATE/version         decimal, of the program that wrote conf.json
 *   STATE/history/        conf_history.h
 *
 * Used by main, which never looks into the text: bytes come from a descriptor and go to one.
 * Whatever happens between two calls, conf.json is one whole text, the old or the new.
 */
#ifndef CONF_CONF_STORE_H
#define CONF_CONF_STORE_H

#include "base/err.h"

#define CONF_STORE_BYTES_MAX (256u * 1024 * 1024)

struct conf_store {
    int dir;
};

/* Make the directory (0700) unless it is there, open it, remove what was only saved.  0 or -errno.
 */
int conf_store_open(struct conf_store *store, const char *path, struct br_err *err);
void conf_store_close(struct conf_store *store);

/*
 * The stored text, opened for reading, and the version that wrote it (0: no version file).
 * 0, -ENOENT without a sentence (nothing was stored yet), or -errno.
 */
int conf_store_read(const struct conf_store *store, int *ret_fd, uint32_t *ret_version,
                    struct br_err *err);

/* Write the bytes of fd (from offset 0; stays yours) aside and sync them. */
int conf_store_save(const struct conf_store *store, int fd, struct br_err *err);

/* Rename what was saved into place, sync the directory, note the version. */
int conf_store_keep(const struct conf_store *store, uint32_t version, struct br_err *err);

/* Forget what was saved aside.  Nothing there is no error. */
int conf_store_drop(const struct conf_store *store, struct br_err *err);

#endif
