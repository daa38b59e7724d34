/*
 * conf_store.h - the copy on disk: the state directory.
 *
 *   STATE/conf.json       compact JSON, replaced whole
 *   STATE/conf.json.new   written aside and synced; renamed when the change is live
 *   STATE/version         decimal, of the program that wrote conf.json; ours has "brood" below
 *   STATE/history/        conf_history.h
 *   STATE/conf.json.damaged-20261124T210500Z   what could not be read at a start
 *   STATE/initial         there while a first start (--initial) is under way
 *   STATE/conf.json.unit  what NGINX Unit had kept, before our first change of it
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

/*
 * conf_store_open - make the directory (0700) unless it is there, open it, remove
 * what was only saved.
 *
 * It holds what decides which programs run as whom, and private keys: one that belongs to another
 * user than ours or root is refused (-EPERM); a mode that lets others in is set to 0700, where that
 * cannot be done and others may write it is refused.
 * 0; 1: others could look into it until now; or -errno.
 */
int conf_store_open(struct conf_store *store, const char *path, struct br_err *err);
void conf_store_close(struct conf_store *store);

/*
 * Is this the first start, or was the first one not finished (conf_store_begin_first)?
 * 1, 0, or -errno.
 */
int conf_store_is_first(const struct conf_store *store, struct br_err *err);
/* From here until the end of it, every start is the first one. */
int conf_store_begin_first(const struct conf_store *store, struct br_err *err);
int conf_store_end_first(const struct conf_store *store, struct br_err *err);

/* Who wrote the stored text, and how it was found. */
struct conf_kept {
    uint32_t version; /* 0: no version file */
    bool unit;        /* NGINX Unit did */
    bool was_open;    /* others could read it until now */
};

/*
 * The stored text, opened for reading.
 * 0, -ENOENT without a sentence (nothing was stored yet), or -errno: also when it is no regular
 * file, or one of another user than ours or root.
 */
int conf_store_read(const struct conf_store *store, int *ret_fd, struct conf_kept *ret_kept,
                    struct br_err *err);

/*
 * Give the stored text, which is damaged, a second name, or a new one where it can have no second:
 * what replaces it does not destroy it.  Once is enough; again is no error.
 */
int conf_store_set_aside(const struct conf_store *store, struct br_err *err);

/*
 * If NGINX Unit wrote the stored text, copy it to a name where it stays.  Before the first change
 * is saved; 0 also when there is nothing to do.
 */
int conf_store_save_foreign(const struct conf_store *store, struct br_err *err);

/* Write the bytes of fd (from offset 0; stays yours) aside and sync them. */
int conf_store_save(const struct conf_store *store, int fd, struct br_err *err);

/* Rename what was saved into place, sync the directory, note the version. */
int conf_store_keep(const struct conf_store *store, uint32_t version, struct br_err *err);

/* Forget what was saved aside.  Nothing there is no error. */
int conf_store_drop(const struct conf_store *store, struct br_err *err);

#endif
