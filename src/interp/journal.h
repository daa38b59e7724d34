/*
 * journal.h - the server's log: syslog, as "prefork-interp SCRIPT[pid]", or nowhere.
 */
#ifndef INTERP_JOURNAL_H
#define INTERP_JOURNAL_H

#include "base/attr.h"

enum journal_level { JOURNAL_ERROR, JOURNAL_WARNING, JOURNAL_INFO };

/* facility: "LOG_USER", "user", "local0" …; empty: silence.  false: unknown name, "user" is used.
 */
bool journal_open(const char *script, const char *facility);
void journal(enum journal_level level, const char *fmt, ...) br_printf(2, 3);

#endif
