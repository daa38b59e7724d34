/*
 * vclone.c - clone3(2) with a function and a stack for a child that borrows our memory.
 *
 * The kernel keeps all registers but the result's across the call, in both processes, so fn and arg
 * wait in registers for a child that has a fresh stack.  CLONE_VFORK: the parent's thread sleeps
 * until the child has executed a program or is gone.  See clone(2).
 */
#include "process/vclone.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)

static long
clone_onto(struct clone_args *args, void (*fn)(void *arg), void *arg)
{
    register void (*child_fn)(void *) __asm__("r12") = fn;
    register void *child_arg __asm__("r13") = arg;
    long rc;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t" /* the outermost frame */
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(rc)
                     : "0"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(child_fn),
                       "r"(child_arg)
                     : "rcx", "r11", "memory", "cc");
    return rc;
}

#elif defined(__aarch64__)

static long
clone_onto(struct clone_args *args, void (*fn)(void *arg), void *arg)
{
    register long number __asm__("x8") = SYS_clone3;
    register struct clone_args *first __asm__("x0") = args;
    register size_t second __asm__("x1") = sizeof(*args);
    register void (*child_fn)(void *) __asm__("x19") = fn;
    register void *child_arg __asm__("x20") = arg;
    register long rc __asm__("x0");

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, x20\n\t"
                     "blr x19\n\t"
                     "brk #1\n"
                     "1:"
                     : "=r"(rc)
                     : "r"(number), "r"(first), "r"(second), "r"(child_fn), "r"(child_arg)
                     : "memory", "cc");
    return rc;
}

#else

static long
clone_onto(br_unused struct clone_args *args, br_unused void (*fn)(void *arg), br_unused void *arg)
{
    return -ENOSYS;
}

#endif

struct call {
    void (*fn)(void *arg);
    void *arg;
};

static int
child_of_libc(void *arg)
{
    const struct call *call = arg;

    call->fn(call->arg);
    return 0;
}

/* The low byte of clone()'s flags is the signal; what lies above 32 bits it does not know. */
static long
clone_by_libc(const struct clone_args *args, struct call *call)
{
    char *top = (char *)(uintptr_t)args->stack + args->stack_size;
    int rc;

    if (args->flags & ~(uint64_t)(uint32_t)~CSIGNAL)
        return -ENOTSUP;
    rc = clone(child_of_libc, top, (int)(args->flags | args->exit_signal), call,
               args->flags & CLONE_PIDFD ? (void *)(uintptr_t)args->pidfd
                                         : (void *)(uintptr_t)args->parent_tid);
    return rc < 0 ? -errno : rc;
}

long
vclone(struct clone_args *args, void *stack, size_t stack_bytes, void (*fn)(void *arg) br_noreturn,
       void *arg)
{
    struct call call = {fn, arg};
    long rc;

    args->flags |= CLONE_VM | CLONE_VFORK;
    args->stack = (uint64_t)(uintptr_t)stack;
    args->stack_size = stack_bytes;
    rc = clone_onto(args, fn, arg);
    return rc == -ENOSYS ? clone_by_libc(args, &call) : rc;
}
