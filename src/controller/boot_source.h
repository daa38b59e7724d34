/*
 * boot_source.h - the text or the texts that a first configuration is made of.
 *
 * Faults are logged, each with its place; the first one is kept for the one line of alert.
 */
#ifndef CONTROLLER_BOOT_SOURCE_H
#define CONTROLLER_BOOT_SOURCE_H

#include "conf/conf_file.h"

struct controller;

struct boot_source {
    struct conf_file file;
    struct conf_faults faults;
    char first[sizeof(((struct conf_fault *)NULL)->err.text)]; /* fault, "" : none */
};

/* One text as it stands, copied.  For boot_source_free, which takes a void * for arena_on_done. */
struct boot_source *boot_source_new(const char *name, struct slice text);
void boot_source_free(void *source);

/* All that the validation says of it. */
void boot_source_validate(struct boot_source *source, const struct conf_modules *modules);

/*
 * boot_source_load - the file of --config with all that it includes, which main reads.
 *
 * loaded is called, maybe before this returns, with the source (the caller's then, with faults or
 * not); loading again forgets what is under way.
 */
void boot_source_load(struct controller *c, struct slice text,
                      void (*loaded)(struct controller *c, struct boot_source *source));
/* For the end of the process. */
void boot_source_cancel(struct controller *c);

#endif
