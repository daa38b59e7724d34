/*
 * tell.h - "brood -s WORD": say something to the main process that a pid file names.
 */
#ifndef PROGRAMS_TELL_H
#define PROGRAMS_TELL_H

#include "base/err.h"

/* The words, for --help: "stop|quit|reload|reopen|upgrade". */
#define TELL_WORDS "stop|quit|reload|reopen|upgrade"

/* The signal that a word stands for, or -EINVAL. */
int tell_signal(const char *word);

/*
 * tell_main - send that signal to who holds the pid file.
 *
 * 0; -ENOENT (no such file), -ESRCH (nobody holds it: it was left behind), -EBADMSG (no number in
 * it), -EPERM, each with a sentence.  Does not wait for what the signal does.
 */
int tell_main(const char *pid_path, int sig, struct br_err *err);

#endif
