/*
 * boot.h - the first configuration of a controller: what runs, else the one in the file of
 * --config or the stored one, else an earlier one, else the default.
 */
#ifndef CONTROLLER_BOOT_H
#define CONTROLLER_BOOT_H

#include <stdint.h>

struct controller;

/* Look at what runs already, then apply c->running (taken) or c->stored.  c->on_booted is called
 * whatever comes of it. */
void boot_begin(struct controller *c);
/* Apply c->stored (taken), NULL: the default; also when main has read it again. */
void boot_stored(struct controller *c);
/* To main: what became of that reload; 0: it was none.  rc < 0: why. */
void boot_tell_reloaded(struct controller *c, uint32_t reload, int rc, const char *why);
/* For the end of the process. */
void boot_done(struct controller *c);

#endif
