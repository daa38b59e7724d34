/*
 * aside.h - files that are replaced whole: written under another name, synced, then renamed.
 *
 * Names are relative to the descriptor of their directory.  Whoever renamed syncs the directory.
 */
#ifndef CONF_ASIDE_H
#define CONF_ASIDE_H

#include "base/err.h"
#include "base/slice.h"

#define ASIDE_BYTES_MAX (256u * 1024 * 1024)

/* A new file, mode 0600, of the bytes of from (from offset 0; stays yours), synced.  When it cannot
 * be written whole, nothing is left. */
int aside_copy(int dir, const char *name, int from, struct br_err *err);
/* The same of a text. */
int aside_write(int dir, const char *name, struct slice text, struct br_err *err);

int aside_move(int dir, const char *from, int to_dir, const char *to, struct br_err *err);
/* Nothing there is no error. */
int aside_remove(int dir, const char *name, struct br_err *err);

#endif
