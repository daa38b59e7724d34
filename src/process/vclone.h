/*
 * vclone.h - clone3(2) with a function and a stack for a child that borrows our memory.
 *
 * A plain clone3 with CLONE_VM would let the child run on over the parent's stack frames; libc's
 * clone() takes a function and a stack but not the flags that only clone3 knows.  So it is clone3
 * where there is assembly for the machine and the kernel (or its sandbox) lets us, and clone()
 * otherwise.
 */
#ifndef PROCESS_VCLONE_H
#define PROCESS_VCLONE_H

#include <linux/sched.h>

#include "base/attr.h"

/*
 * CLONE_VM | CLONE_VFORK and the stack are added to args; pidfd and parent_tid may be asked for.
 * fn does not return.  All signals must be blocked.
 *
 * The child's pid, -ENOTSUP (asked for something that only clone3 can, which is not to be had), or
 * -errno.
 */
long vclone(struct clone_args *args, void *stack, size_t stack_bytes,
            void (*fn)(void *arg) br_noreturn, void *arg);

#endif
