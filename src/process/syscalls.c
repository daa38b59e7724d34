/*
 * syscalls.c - a seccomp filter that forbids what only a machine's administrator does.
 *
 * A deny-list: what is not named here works as ever, with the kernel's own checks.  It takes away
 * the calls behind most ways from root in a process to the machine: loading modules, mounting,
 * other processes' memory, clocks, keys, raw I/O.  EPERM, as without the right.  unshare(2) and
 * clone(2) stay: browsers and build tools sandbox themselves with them.
 *
 * See seccomp(2), seccomp_rule_add(3).
 */
#include "process/syscalls.h"

#include <errno.h>
#include <seccomp.h>

static const char *const forbidden[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "syslog",
    "umount",
    "umount2",
    "userfaultfd",
    "vhangup",
};

static int
add_all(scmp_filter_ctx filter, struct br_err *err)
{
    for (size_t i = 0; i < array_len(forbidden); i++) {
        int call = seccomp_syscall_resolve_name(forbidden[i]);
        int rc;

        if (call == __NR_SCMP_ERROR)
            continue; /* newer than the library */
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
        if (rc < 0 && rc != -EDOM) /* -EDOM: not of this architecture */
            return br_fail(err, rc, "seccomp: rule for %s", forbidden[i]);
    }
    return 0;
}

int
syscalls_forbid(struct br_err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int rc;

    if (filter == NULL)
        return br_fail(err, -ENOMEM, "seccomp");
    /* no_new_privs is the operator's to choose (isolation.new_privs). */
    rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    if (rc == 0)
        rc = add_all(filter, err);
    if (rc == 0) {
        rc = seccomp_load(filter);
        if (rc < 0)
            br_fail(err, rc, "the kernel refuses the seccomp filter");
    }
    seccomp_release(filter);
    return rc;
}
