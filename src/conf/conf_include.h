/*
 * conf_include.h - the files that a configuration file includes, as one piece of bytes.
 *
 *   "conf.d"          each file there that ends in ".json", in order of their names
 *   "conf.d/x-*"      what fits, likewise: '*', '?' and '[' in the last part only
 *   "tls.json"        that file
 *
 * Relative to the directory of the configuration file, and below it: ".." leads nowhere.  Files
 * whose name begins with '.' are left out unless they are named.
 *
 * main reads, since nobody else may be able to, and looks into no text; the controller parses.
 */
#ifndef CONF_CONF_INCLUDE_H
#define CONF_CONF_INCLUDE_H

#include "base/err.h"
#include "base/slice.h"

#define CONF_INCLUDE_FILES_MAX 4096
#define CONF_INCLUDE_BYTES_MAX (64u * 1024 * 1024) /* of all files of one pattern */

/*
 * conf_include_read - what the pattern in the configuration file at that path stands for: a sealed
 * memory file.
 *
 * A directory or a pattern without any file is none.  0, or -errno (a file that is not there,
 * cannot be read, is no regular file or too long; a path that is absolute or has ".." in it).
 */
int conf_include_read(const char *config_path, const char *pattern, int *ret_fd,
                      struct br_err *err);

/*
 * conf_include_next - the next file of those bytes, which *rest moves behind.
 *   ret_path   relative to the configuration file
 * false: that was all (rest->n is 0), or these are not such bytes.
 */
bool conf_include_next(struct slice *rest, struct slice *ret_path, struct slice *ret_text);

#endif
