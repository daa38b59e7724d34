/*
 * migrate_systemd.h - what a systemd unit says of the program that it starts.
 */
#ifndef PROGRAMS_MIGRATE_SYSTEMD_H
#define PROGRAMS_MIGRATE_SYSTEMD_H

#include "programs/migrate_ini.h"

struct systemd_unit {
    struct place exec_at;
    struct json *command; /* words of the first ExecStart; NULL: there is none */
    struct ini_line *lines;
};

/* "x.service", "x.socket", or a text with a section that only units have. */
bool systemd_is_unit(const char *path, struct slice text);

/* CTL_OK, or CTL_REFUSED: said with the place. */
enum ctl_exit systemd_parse(struct migration *m, const char *path, struct slice text,
                            struct systemd_unit *ret);

/* The last value of a name, "" sections aside; NULL: it has none. */
const struct ini_line *systemd_find(const struct systemd_unit *unit, const char *name);

/*
 * systemd_assign - user, group, directory and environment of the unit become the application's;
 * those of its other settings that matter are noted.
 */
void systemd_assign(struct migration *m, const struct systemd_unit *unit, struct json *app);

#endif
