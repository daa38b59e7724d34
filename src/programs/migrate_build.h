/*
 * migrate_build.h - what of a configuration this build has not got.
 */
#ifndef PROGRAMS_MIGRATE_BUILD_H
#define PROGRAMS_MIGRATE_BUILD_H

#include "programs/migrate.h"

/* Notes each place of m->root that this build would refuse to know; whether there were any. */
bool migrate_mark_absent(struct migration *m, struct place at);

#endif
