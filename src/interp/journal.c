/*
 * journal.c - the server's log.
 */
#include "interp/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

static const struct {
    const char *name;
    int facility;
} facilities[] = {
    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
    {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"lpr", LOG_LPR},
    {"mail", LOG_MAIL},     {"news", LOG_NEWS},         {"syslog", LOG_SYSLOG},
    {"user", LOG_USER},     {"uucp", LOG_UUCP},         {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},     {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
};

static bool silent = true;

bool
journal_open(const char *script, const char *facility)
{
    static char identity[256];
    const char *name = strncasecmp(facility, "LOG_", 4) == 0 ? facility + 4 : facility;

    silent = facility[0] == '\0';
    if (silent)
        return true;
    snprintf(identity, sizeof(identity), "prefork-interp %s", script);
    for (size_t i = 0; i < array_len(facilities); i++)
        if (strcasecmp(name, facilities[i].name) == 0) {
            openlog(identity, LOG_PID | LOG_NDELAY, facilities[i].facility);
            return true;
        }
    openlog(identity, LOG_PID | LOG_NDELAY, LOG_USER);
    return false;
}

void
journal(enum journal_level level, const char *fmt, ...)
{
    static const int priorities[] = {
        [JOURNAL_ERROR] = LOG_ERR, [JOURNAL_WARNING] = LOG_WARNING, [JOURNAL_INFO] = LOG_INFO};
    va_list args;

    if (silent)
        return;
    va_start(args, fmt);
    vsyslog(priorities[level], fmt, args);
    va_end(args);
}
