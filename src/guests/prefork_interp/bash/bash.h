/*
 * bash.h - the state of the bash we are loaded into, besides its environment.
 */
#ifndef GUESTS_BASH_BASH_H
#define GUESTS_BASH_BASH_H

#include "base/attr.h"

/* Can initialisation be complete in this place?  NULL, or why not. */
const char *bash_unfit(void);
/* $0 */
const char *bash_script(void);
/* The descriptor by which the script is read, or -1. */
int bash_script_fd(void);

/* Before the forks: output written, the script's descriptor at the place where reading goes on. */
void bash_pause(void);

/* In an executor, whose process is another: pid, jobs, random numbers, clock. */
void bash_renew(void);
/* A file offset of our own on the script, since children of one process would share it.  0 or
 * -errno. */
int bash_reopen_script(void);
void bash_take_arguments(char *const *arguments);
/*
 * ignored_at_start  as the first caller left them; now hidden from bash by bash_hide_ignored
 * ignored           the call's; NULL: it does not say, so those of the start hold
 */
void bash_take_signals(uint64_t ignored_at_start, const uint64_t *ignored);
/* The directory has changed underneath. */
void bash_take_directory(void);

/* What is ignored when bash first looks can never be trapped in it; so it shall not see them. */
void bash_hide_ignored(uint64_t ignored);

#endif
