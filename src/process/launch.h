/*
 * launch.h - the launch card: a flat, bounded description of a process to start.
 *
 * Written by the controller, passed as a sealed memfd, kept by main for respawns, read by the
 * prototype.  Pairs of key and value, in order; a key may repeat ("path", "environment").
 * main checks lengths and numbers of pairs, never meaning.
 *
 *   "BRDC" u32 version, u32 n, then n times: u16 key length, u32 value length, key NUL value NUL
 *
 * Keys in use: name, type, module, launch, user, group, working_directory, environment
 * (NAME=VALUE), stdout, stderr, what isolation.h, cgroup.h, mounts.h and confine.h name, max,
 * spare, idle_timeout_ms, timeout_ms, requests, threads, thread_stack_size, slots, and those of the
 * language (python: home, path, protocol, and of each target: target, module_name, callable,
 * prefix, factory).  Of a program (app/front.h): program, its type; listen, executable, argument,
 * stop_signal, stop_grace_ms, restart, ready, ready_timeout_ms, wait, every_ms, calendar, overlap,
 * connections_max, connections_per_source, total_timeout_ms, connection_idle_ms, client_stderr.  Of
 * a stream application (app/stream.h): stream, listen, connections_max, choice, connection_idle_ms,
 * and of the type `stream` executable, argument.
 */
#ifndef PROCESS_LAUNCH_H
#define PROCESS_LAUNCH_H

#include "base/buf.h"
#include "base/err.h"

#define LAUNCH_BYTES_MAX (1024 * 1024)
#define LAUNCH_PAIRS_MAX 4096

/* Writing: begin, put…, end gives a sealed memfd.  A failed put is kept, so that only end need be
 * checked; a value may not hold NUL (-EINVAL).  end frees the buffer, also when it fails. */
void launch_begin(struct buf *b);
int launch_put(struct buf *b, const char *key, struct slice value);
int launch_put_int(struct buf *b, const char *key, int64_t value);
int launch_end(struct buf *b, int *ret_fd);

struct launch; /* a checked private copy */

/* Reads the descriptor, a sealed memfd (stays yours).  0, -EBADMSG with the reason, -ENOMEM. */
int launch_read(int fd, struct launch **ret_card, struct br_err *err);
void launch_free(struct launch *card);

/* First value, or fallback; values are NUL-terminated. */
const char *launch_get(const struct launch *card, const char *key, const char *fallback);
int64_t launch_int(const struct launch *card, const char *key, int64_t fallback);
/* Each value of a key in order: *pos starts at 0; NULL at the end. */
const char *launch_next(const struct launch *card, const char *key, unsigned *pos);

#endif
