/*
 * mounts.h - the file system as an application sees it: root, what is mounted there, what is not
 * writable.
 *
 * Card keys: rootfs, automount (procfs, tmpfs: one each), private_tmp, read_only, and in lockstep
 * bind_source, bind_target, bind_mode ("ro", "rw").
 *
 * Everything lives in the process's own mount namespace and is gone with its last process, however
 * that ends; nothing is written into rootfs.  See mount_namespaces(7), pivot_root(2), open_tree(2).
 */
#ifndef PROCESS_MOUNTS_H
#define PROCESS_MOUNTS_H

#include "process/launch.h"

#define MOUNTS_BINDS_MAX 64

/*
 * In the child: 0, or -errno with the step; the root and the working directory are the new ones.
 *
 *   own_mounts  it was born into a mount namespace; else one is made where the card needs it and
 *               the kernel lets us, and a plain chroot is done where it does not
 *   own_pids    it was born into a pid namespace: /proc must be a new one
 *   deps        ended by NULL: paths of this machine that the new root has too, read-only; those
 *               that are not there are left out.  The first one stays in reach in any case
 */
int mounts_make(const struct launch *card, bool own_mounts, bool own_pids, const char *const *deps,
                struct br_err *err);

#endif
