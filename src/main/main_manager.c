/*
 * main_manager.c - what the service manager that started us is told.
 *
 *   STARTING --READY=1--> RUNNING --STOPPING=1--> …
 *                HUP: RELOADING=1 --> READY=1, also if the new configuration is refused
 *                upgrade: MAINPID=… --> the next main speaks
 *   and WATCHDOG=1 from main's loop, twice in the time after which silence means death
 *
 * With NotifyAccess=main the manager hears only whom it takes for the main process, so the old main
 * names the next one, and the last WATCHDOG=1 goes with that; the next one's first comes soon.
 *
 * See sd_notify(3), sd_watchdog_enabled(3), systemd.service(5), "Type=notify-reload".
 */
#include "main/main_manager.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "process/notify.h"

#define SERVING "Serving"

/* What stands behind STATUS= is one line. */
static void
flatten(char *status)
{
    for (char *p = status; *p != '\0'; p++)
        if (*p == '\n')
            *p = ' ';
}

/* words: lines of their own, or ""; then the status. */
static void br_printf(3, 4) tell(struct main *m, const char *words, const char *fmt, ...)
{
    const struct notify *manager = m->task.settings->manager;
    char status[1200];
    char text[1600];
    va_list args;
    int rc;

    if (manager == NULL || !m->owns_paths)
        return;
    va_start(args, fmt);
    vsnprintf(status, sizeof(status), fmt, args);
    va_end(args);
    flatten(status);
    snprintf(text, sizeof(text), "%sSTATUS=%s", words, status);
    rc = notify_tell(manager, text);
    if (rc < 0)
        br_log(LOG_WARN, "the service manager cannot be told \"%s\": %s", status, strerror(-rc));
}

/* --- the watchdog --- */

static int64_t
interval_ms(const struct main *m)
{
    const struct notify *manager = m->task.settings->manager;

    return manager != NULL ? (int64_t)(manager->watchdog_us / 2 / 1000) : 0;
}

static void
on_feed(struct timer *t)
{
    struct main *m = container_of(t, struct main, watchdog);

    if (m->owns_paths)
        notify_tell(m->task.settings->manager, "WATCHDOG=1");
    loop_timer(m->task.loop, t, br_max(interval_ms(m), (int64_t)1));
}

void
main_manager_init(struct main *m)
{
    timer_init(&m->watchdog, on_feed);
}

void
main_manager_begin(struct main *m)
{
    const struct notify *manager = m->task.settings->manager;

    if (manager != NULL && manager->watchdog_us > 0)
        loop_timer(m->task.loop, &m->watchdog, 0);
}

void
main_manager_done(struct main *m)
{
    if (m->task.loop != NULL)
        loop_timer_cancel(m->task.loop, &m->watchdog);
}

/* --- words --- */

void
main_manager_ready(struct main *m)
{
    if (m->upgrade.state != UPGRADE_DONE)
        tell(m, "READY=1\n", SERVING);
    else if (interval_ms(m) > 0) /* the old main has said all for us, but fed the dog before */
        loop_timer(m->task.loop, &m->watchdog, interval_ms(m) / 2);
}

uint32_t
main_manager_reloading(struct main *m)
{
    struct timespec now;
    char words[80];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(words, sizeof(words), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    tell(m, words, "Reloading");
    m->reload = ++m->reloads;
    return m->reload;
}

void
main_manager_reloaded(struct main *m, uint32_t number, int rc, const char *why)
{
    if (m->reload == 0 || (number != 0 && number != m->reload))
        return;
    m->reload = 0;
    if (m->phase != MAIN_RUNNING)
        return;
    if (rc < 0)
        tell(m, "READY=1\n", SERVING "; the reload changed nothing: %s", why);
    else
        tell(m, "READY=1\n", SERVING);
}

void
main_manager_leaving(struct main *m, const char *how, uint64_t within_ms)
{
    char words[80];

    snprintf(words, sizeof(words), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\n",
             within_ms * 1000);
    tell(m, words, "%s", how);
}

void
main_manager_hand_over(struct main *m, pid_t next)
{
    char words[80];

    snprintf(words, sizeof(words), "MAINPID=%d\nWATCHDOG=1\n", (int)next);
    tell(m, words, SERVING);
}

void
main_manager_serves_on(struct main *m, const char *why)
{
    tell(m, "", SERVING "; the upgrade failed: %s", why);
}
