/*
 * log.h - the error log: "2026/11/23 07:32:23 [level] pid#tid message".
 *
 * One write(2) a line on a descriptor opened with O_APPEND, so that processes which share the
 * file never mix their lines.  Control characters in the message are written as \xXX; a line is
 * cut at 2 KiB.  A line that repeats the previous one within a second is counted, not written.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"

enum log_level { LOG_ALERT, LOG_ERROR, LOG_WARN, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Where lines go; the descriptor stays the caller's.  Until called: stderr. */
void log_to_fd(int fd);
int log_fd(void);

/* Until called: LOG_INFO. */
void log_set_level(enum log_level most);
enum log_level log_get_level(void);
int log_level_parse(const char *name, enum log_level *ret_level);

#define log_would(level) ((level) <= log_get_level())

void br_log(enum log_level level, const char *fmt, ...) br_printf(2, 3);

/* The same with "*conn " before the message. */
void br_log_conn(enum log_level level, uint64_t conn, const char *fmt, ...) br_printf(3, 4);

/* After fork: forget the cached pid and tid. */
void log_after_fork(void);

#endif
