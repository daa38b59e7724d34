/*
 * access_files.h - the files of --control-token-file, --control-certificate, --control-client-ca.
 *
 * main opens them, since the controller's user need not be able to, and each controller inherits
 * the descriptors.
 */
#ifndef CONTROLLER_ACCESS_FILES_H
#define CONTROLLER_ACCESS_FILES_H

#include "base/err.h"
#include "base/slice.h"
#include "process/role.h"

struct process;

enum access_file { ACCESS_TOKENS, ACCESS_CERTIFICATE, ACCESS_CLIENT_CA, ACCESS_FILES };

struct access_files {
    int fd[ACCESS_FILES]; /* -1: the settings name none */
};

#define ACCESS_FILES_NONE ((struct access_files){.fd = {-1, -1, -1}})

/*
 * access_files_open - secrets must not be readable, and nothing writable, for everybody.
 * 0, or -errno with a sentence that has the name; *ret is untouched then.
 */
int access_files_open(const struct settings *settings, struct access_files *ret,
                      struct br_err *err);
void access_files_close(struct access_files *files);

/* For a child, and in it (process_keep); files is empty afterwards, whatever comes of it. */
int access_files_keep(struct access_files *files, struct process *process);
/* Borrowed from the process; NULL: there are none. */
struct access_files access_files_kept(const struct process *process);

/*
 * access_files_read - all of one, from its beginning.
 *   ret   to be wiped and freed with access_files_wipe; SLICE_NONE: the settings name none
 */
int access_files_read(const struct access_files *files, enum access_file which, struct slice *ret,
                      struct br_err *err);
void access_files_wipe(struct slice text);

/* "token file", for sentences; and its path. */
const char *access_file_title(enum access_file which);
const char *access_file_path(const struct settings *settings, enum access_file which);

#endif
