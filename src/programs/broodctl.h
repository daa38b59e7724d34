/*
 * broodctl.h - what the parts of broodctl share: the command line as it was understood, the
 * commands, and what they end with.
 */
#ifndef PROGRAMS_BROODCTL_H
#define PROGRAMS_BROODCTL_H

#include "base/arena.h"

/* Exit codes; part of the interface, see broodctl(1). */
enum ctl_exit {
    CTL_OK = 0,
    CTL_REFUSED = 1, /* the server said no, or a file, an editor or a check failed */
    CTL_USAGE = 2,
    CTL_UNREACHABLE = 3, /* no brood answers there */
    CTL_UNKNOWN = 4,     /* the answer was lost, and what became of the change cannot be told */
};

struct ctl {
    struct arena arena;  /* the whole run */
    const char *control; /* --control; NULL: look for one (broodctl_find.h) */
    const char *token;   /* for a TCP control address, or NULL */
    const char *ca_path; /* PEM, for https://; NULL: whom the system trusts */
    const char *cert_path;
    const char *key_path; /* NULL: the key is with the certificate */
    const char *log_path;
    uint64_t lines; /* of the log */
    int watch_ms;   /* 0: once */
    bool json;
    bool follow;
    bool dry_run;
    bool yes;         /* to everything that would be asked */
    bool report_json; /* of a migration */
    bool replace;     /* a certificate bundle that is there */
};

/*
 * A command: words are the n words behind its name.  Returns an exit code; whatever is wrong has
 * been said on stderr by then.
 */
typedef enum ctl_exit ctl_command_fn(struct ctl *ctl, int n, char **words);

/* broodctl_config.c */
ctl_command_fn ctl_get, ctl_put, ctl_append, ctl_delete, ctl_apply, ctl_diff, ctl_check;
/* "/config/listeners [METHOD]" instead of a command; words[0] is the path. */
ctl_command_fn ctl_path;
/* broodctl_edit.c */
ctl_command_fn ctl_edit;
/* broodctl_history.c */
ctl_command_fn ctl_history, ctl_rollback;
/* broodctl_status.c */
ctl_command_fn ctl_status, ctl_restart;
/* broodctl_ps.c */
ctl_command_fn ctl_ps;
/* broodctl_logs.c */
ctl_command_fn ctl_logs;
/* broodctl_certs.c */
ctl_command_fn ctl_certificates;
/* broodctl_options.c */
ctl_command_fn ctl_options;
ctl_command_fn ctl_schema;

/* migrate.c */
ctl_command_fn ctl_migrate;

/* "broodctl: ..." on stderr; returns code. */
enum ctl_exit ctl_fail(enum ctl_exit code, const char *fmt, ...) br_printf(2, 3);

#endif
