/*
 * conf_history.h - the last configurations that were kept, beside the copy on disk.
 *
 *   STATE/history/41.json    one whole text; numbers grow for ever, CONF_HISTORY_MAX files stay
 *   STATE/history/new        written aside and synced; renamed when the change is live
 *
 * The newest one is the configuration in force.  Used by main, which looks into none of them;
 * directory and files are for their owner alone.
 */
#ifndef CONF_CONF_HISTORY_H
#define CONF_CONF_HISTORY_H

#include "conf/conf_store.h"

#define CONF_HISTORY_MAX 16

struct conf_history_entry {
    uint64_t number; /* from 1 */
    int64_t time_s;  /* when it was kept, since 1970 */
    uint64_t size;
};

/*
 * conf_history_save - write the bytes of fd (stays yours) aside and sync them, unless the newest
 * one is the same.  Everything that may fail for want of room fails here.
 *
 * A conf.json that the newest one does not equal (written by hand, or by a program without a
 * history) becomes a part of the history first: it is about to be replaced.
 */
int conf_history_save(const struct conf_store *store, int fd, struct br_err *err);

/* Give what was saved the next number, if anything was; forget what is too old. */
int conf_history_keep(const struct conf_store *store, struct br_err *err);

/*
 * conf_history_mend - at the start: what a main that was killed left saved.  If it is what
 * conf.json says it was about to be kept, and is now; else it is forgotten.
 */
int conf_history_mend(const struct conf_store *store, struct br_err *err);

/* The newest ones, newest first; none is no error. */
int conf_history_list(const struct conf_store *store,
                      struct conf_history_entry ret_entries[CONF_HISTORY_MAX], size_t *ret_n,
                      struct br_err *err);

/* That text, opened for reading.  0, -ENOENT without a sentence, or -errno. */
int conf_history_open(const struct conf_store *store, uint64_t number, int *ret_fd,
                      struct br_err *err);

#endif
