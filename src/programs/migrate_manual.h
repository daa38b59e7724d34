/*
 * migrate_manual.h - docs/migrate.md, from the tables.
 */
#ifndef PROGRAMS_MIGRATE_MANUAL_H
#define PROGRAMS_MIGRATE_MANUAL_H

#include "base/buf.h"

/* 0, or the buffer's error. */
int migrate_manual(struct buf *b);

#endif
