/*
 * main_manager.h - what the service manager that started us is told: sd_notify(3).
 *
 * Said by whoever is main: the next one of an upgrade only after its proof, the old one no longer
 * then.  Without a manager nothing is said.
 */
#ifndef MAIN_MAIN_MANAGER_H
#define MAIN_MAIN_MANAGER_H

#include "main/main_state.h"

void main_manager_init(struct main *m);
/* Begin to feed its watchdog, if it has one. */
void main_manager_begin(struct main *m);
void main_manager_done(struct main *m);

/* The start is over. */
void main_manager_ready(struct main *m);
/* HUP.  The number by which whoever does it says that it is done. */
uint32_t main_manager_reloading(struct main *m);
/* The reload of that number, 0: whichever is under way, is done; rc < 0: in vain, and why. */
void main_manager_reloaded(struct main *m, uint32_t number, int rc, const char *why);
/* The end has begun, and may take so long. */
void main_manager_leaving(struct main *m, const char *how, uint64_t within_ms);
/* An upgrade: that process is main now.  The last word of the old one. */
void main_manager_hand_over(struct main *m, pid_t next);
/* The upgrade failed; we go on. */
void main_manager_serves_on(struct main *m, const char *why);

#endif
