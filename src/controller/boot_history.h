/*
 * boot_history.h - the configurations that were kept before the stored one, for a controller that
 * cannot use that.
 */
#ifndef CONTROLLER_BOOT_HISTORY_H
#define CONTROLLER_BOOT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

struct controller;

/*
 * The newest one whose number is below: found is called later with its text (malloc'ed, the
 * callee's), or with number 0 and NULL when there is none, or none can be read.
 */
void boot_history_before(struct controller *c, uint64_t below,
                         void (*found)(struct controller *c, uint64_t number, char *text,
                                       size_t n));
/* For the end of the process. */
void boot_history_cancel(struct controller *c);

#endif
