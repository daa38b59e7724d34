/*
 * title.h - the process title: written over the argument area that the kernel shows in ps.
 *
 * The place is read from /proc/self/stat, so this works in brood and in any interpreter that loaded
 * us; the environment that lies behind it is moved to the heap first.
 */
#ifndef PROCESS_TITLE_H
#define PROCESS_TITLE_H

#include "base/attr.h"

void title_set(const char *fmt, ...) br_printf(1, 2);

#endif
