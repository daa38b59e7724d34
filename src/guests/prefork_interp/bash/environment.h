/*
 * environment.h - the variables and functions of a call, in a bash that has its own.
 */
#ifndef GUESTS_BASH_ENVIRONMENT_H
#define GUESTS_BASH_ENVIRONMENT_H

/* When the library is loaded: remember the variables as they are, before the script sets any. */
void environment_remember(void);
/* In an executor: NAME=VALUE each, ending with NULL. */
void environment_take(char *const *entries);

#endif
