/*
 * rights.h - names of Linux's capabilities and resource limits, for who checks them and who sets
 * them.
 *
 * See capabilities(7), getrlimit(2).
 */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

/* One in each line. */
/* clang-format off */

/* X(name in configurations, suffix of CAP_…) */
#define CAPABILITIES(X) \
    X(audit_control, AUDIT_CONTROL) \
    X(audit_read, AUDIT_READ) \
    X(audit_write, AUDIT_WRITE) \
    X(block_suspend, BLOCK_SUSPEND) \
    X(bpf, BPF) \
    X(checkpoint_restore, CHECKPOINT_RESTORE) \
    X(chown, CHOWN) \
    X(dac_override, DAC_OVERRIDE) \
    X(dac_read_search, DAC_READ_SEARCH) \
    X(fowner, FOWNER) \
    X(fsetid, FSETID) \
    X(ipc_lock, IPC_LOCK) \
    X(ipc_owner, IPC_OWNER) \
    X(kill, KILL) \
    X(lease, LEASE) \
    X(linux_immutable, LINUX_IMMUTABLE) \
    X(mac_admin, MAC_ADMIN) \
    X(mac_override, MAC_OVERRIDE) \
    X(mknod, MKNOD) \
    X(net_admin, NET_ADMIN) \
    X(net_bind_service, NET_BIND_SERVICE) \
    X(net_broadcast, NET_BROADCAST) \
    X(net_raw, NET_RAW) \
    X(perfmon, PERFMON) \
    X(setfcap, SETFCAP) \
    X(setgid, SETGID) \
    X(setpcap, SETPCAP) \
    X(setuid, SETUID) \
    X(sys_admin, SYS_ADMIN) \
    X(sys_boot, SYS_BOOT) \
    X(sys_chroot, SYS_CHROOT) \
    X(sys_module, SYS_MODULE) \
    X(sys_pacct, SYS_PACCT) \
    X(sys_ptrace, SYS_PTRACE) \
    X(sys_rawio, SYS_RAWIO) \
    X(sys_resource, SYS_RESOURCE) \
    X(sys_time, SYS_TIME) \
    X(sys_tty_config, SYS_TTY_CONFIG) \
    X(syslog, SYSLOG) \
    X(wake_alarm, WAKE_ALARM)

/* X(name in configurations, suffix of RLIMIT_…) */
#define RESOURCE_LIMITS(X) \
    X(as, AS) \
    X(core, CORE) \
    X(cpu, CPU) \
    X(data, DATA) \
    X(fsize, FSIZE) \
    X(memlock, MEMLOCK) \
    X(msgqueue, MSGQUEUE) \
    X(nofile, NOFILE) \
    X(nproc, NPROC) \
    X(sigpending, SIGPENDING) \
    X(stack, STACK)

/* clang-format on */

#endif
