/*
 * check.h - brood --check: is this file a configuration?
 */
#ifndef PROGRAMS_CHECK_H
#define PROGRAMS_CHECK_H

/* Prints "FILE:LINE:COLUMN: what is wrong" on stderr.  The exit code: 0 or 1. */
int check_config(const char *path);

#endif
