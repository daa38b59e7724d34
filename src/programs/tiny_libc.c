/*
 * tiny_libc.c - the fifty functions of the C library that prefork-interp calls, and its _start.
 *
 *   kernel --registers, stack--> _start --> main --> _exit
 *
 * The C library's own beginning (relocations, locale, threads, the loader) touches 26 to 50 pages,
 * which is most of a short program's life; this touches none of its own.  Prototypes and structs
 * are the C library's: only x86-64 and AArch64, where they are the kernel's too.  malloc takes from
 * one block and free does nothing: the program lives for one call.
 *
 * Not here, by design: threads, stdio, anything that needs thread-local storage (so the program is
 * compiled without stack protector).  See syscall(2), sigreturn(2), getauxval(3).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"

#define SIGSET_BYTES 8           /* what the kernel's set has of the C library's 128 */
#define SA_RESTORER  0x04000000u /* the action says how a handler returns */
#define BLOCK_BYTES  (64u * 1024)

int main(int argc, char **argv, char **environ_);
void tiny_start(long *stack) br_noreturn;

static char **the_environ;
static unsigned long *the_auxv;
static int the_errno;

#if defined(__x86_64__)

__asm__(".global _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call tiny_start\n");

__asm__(".global tiny_restorer\n"
        "tiny_restorer:\n"
        "    mov $15, %eax\n" /* rt_sigreturn */
        "    syscall\n");
void tiny_restorer(void);

static long
raw(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

#elif defined(__aarch64__)

__asm__(".global _start\n"
        "_start:\n"
        "    mov x29, #0\n"
        "    mov x30, #0\n"
        "    mov x0, sp\n"
        "    bl tiny_start\n");

static long
raw(long n, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#else
#error "link the C library instead, as src/programs/meson.build does"
#endif

/* As the C library has it: -1 and errno.  No call here has a sixth argument that is not 0. */
static long
call(long n, long a, long b, long c, long d, long e)
{
    long ret = raw(n, a, b, c, d, e, 0);

    if (ret >= 0 || ret < -4095)
        return ret;
    the_errno = (int)-ret;
    return -1;
}

#define P(pointer) ((long)(pointer))

int *
__errno_location(void)
{
    return &the_errno;
}

void
tiny_start(long *stack)
{
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    char **end;

    the_environ = argv + argc + 1;
    for (end = the_environ; *end != NULL; end++)
        ;
    the_auxv = (unsigned long *)(end + 1);
    _exit(main(argc, argv, the_environ));
}

void
_exit(int status)
{
    for (;;)
        raw(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

/* Memory and strings. */

void *
memcpy(void *restrict to, const void *restrict from, size_t n)
{
#if defined(__x86_64__)
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
#else
    for (size_t i = 0; i < n; i++)
        ((char *)to)[i] = ((const char *)from)[i];
#endif
    return to;
}

void *
memmove(void *to, const void *from, size_t n)
{
    char *t = to;
    const char *f = from;

    if (t <= f)
        for (size_t i = 0; i < n; i++)
            t[i] = f[i];
    else
        while (n-- > 0)
            t[n] = f[n];
    return to;
}

void *
memset(void *to, int c, size_t n)
{
#if defined(__x86_64__)
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
#else
    for (size_t i = 0; i < n; i++)
        ((char *)to)[i] = (char)c;
#endif
    return to;
}

int
memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

void *
memchr(const void *p, int c, size_t n)
{
    const unsigned char *x = p;

    for (size_t i = 0; i < n; i++)
        if (x[i] == (unsigned char)c)
            return (void *)(x + i);
    return NULL;
}

size_t
strlen(const char *s)
{
    const char *p = s;

    while (*p != '\0')
        p++;
    return (size_t)(p - s);
}

int
strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] || a[i] == '\0')
            return (unsigned char)a[i] - (unsigned char)b[i];
    return 0;
}

int
strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *
strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;
    return (char *)s;
}

/* One block of our own, then whole mappings: a long environment is the only great thing here. */
void *
malloc(size_t n)
{
    static char block[BLOCK_BYTES] br_aligned(16);
    static size_t used;
    long p;

    if (n <= BLOCK_BYTES - used) {
        void *here = block + used;

        used += (n + 15) & ~(size_t)15;
        used = br_min(used, (size_t)BLOCK_BYTES);
        return here;
    }
    p = call(SYS_mmap, 0, (long)n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    return p == -1 ? NULL : (void *)p;
}

void
free(br_unused void *p)
{
}

char *
getenv(const char *name)
{
    size_t n = strlen(name);

    for (char **e = the_environ; *e != NULL; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
            return *e + n + 1;
    return NULL;
}

unsigned long
getauxval(unsigned long type)
{
    for (unsigned long *a = the_auxv; a[0] != AT_NULL; a += 2)
        if (a[0] == type)
            return a[1];
    return 0;
}

/* Files. */

int
openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    long mode;

    va_start(args, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
    va_end(args);
    return (int)call(SYS_openat, dir, P(path), flags, mode, 0);
}

int
open(const char *path, int flags, ...)
{
    va_list args;
    int mode;

    va_start(args, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
    va_end(args);
    return openat(AT_FDCWD, path, flags, mode);
}

int
close(int fd)
{
    return (int)call(SYS_close, fd, 0, 0, 0, 0);
}

ssize_t
read(int fd, void *p, size_t n)
{
    return call(SYS_read, fd, P(p), (long)n, 0, 0);
}

ssize_t
write(int fd, const void *p, size_t n)
{
    return call(SYS_write, fd, P(p), (long)n, 0, 0);
}

int
fcntl(int fd, int what, ...)
{
    va_list args;
    long value;

    va_start(args, what);
    value = va_arg(args, long);
    va_end(args);
    return (int)call(SYS_fcntl, fd, what, value, 0, 0);
}

int
fstat(int fd, struct stat *ret)
{
    return (int)call(SYS_fstat, fd, P(ret), 0, 0, 0);
}

int
stat(const char *restrict path, struct stat *restrict ret)
{
    return (int)call(SYS_newfstatat, AT_FDCWD, P(path), P(ret), 0, 0);
}

int
lstat(const char *restrict path, struct stat *restrict ret)
{
    return (int)call(SYS_newfstatat, AT_FDCWD, P(path), P(ret), AT_SYMLINK_NOFOLLOW, 0);
}

int
fstatat(int dir, const char *restrict path, struct stat *restrict ret, int flags)
{
    return (int)call(SYS_newfstatat, dir, P(path), P(ret), flags, 0);
}

int
access(const char *path, int mode)
{
    return (int)call(SYS_faccessat, AT_FDCWD, P(path), mode, 0, 0);
}

ssize_t
readlink(const char *restrict path, char *restrict to, size_t n)
{
    return call(SYS_readlinkat, AT_FDCWD, P(path), P(to), (long)n, 0);
}

mode_t
umask(mode_t mask)
{
    return (mode_t)call(SYS_umask, (long)mask, 0, 0, 0, 0);
}

int
poll(struct pollfd *fds, nfds_t n, int ms)
{
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000L};

    return (int)call(SYS_ppoll, P(fds), (long)n, ms < 0 ? 0 : P(&wait), 0, SIGSET_BYTES);
}

int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *wait, const sigset_t *mask)
{
    struct timespec copy;

    if (wait != NULL)
        copy = *wait; /* the kernel writes what is left into it */
    return (int)call(SYS_ppoll, P(fds), (long)n, wait != NULL ? P(&copy) : 0, P(mask),
                     SIGSET_BYTES);
}

/* Sockets. */

int
socket(int family, int type, int protocol)
{
    return (int)call(SYS_socket, family, type, protocol, 0, 0);
}

int
connect(int fd, const struct sockaddr *address, socklen_t n)
{
    return (int)call(SYS_connect, fd, P(address), (long)n, 0, 0);
}

int
bind(int fd, const struct sockaddr *address, socklen_t n)
{
    return (int)call(SYS_bind, fd, P(address), (long)n, 0, 0);
}

int
getsockopt(int fd, int level, int name, void *restrict ret, socklen_t *restrict ret_n)
{
    return (int)call(SYS_getsockopt, fd, level, name, P(ret), P(ret_n));
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
    return call(SYS_recvfrom, fd, P(p), (long)n, flags, 0);
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
    return call(SYS_sendto, fd, P(p), (long)n, flags, 0);
}

int
sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    return (int)call(SYS_sendmmsg, fd, P(messages), (long)n, flags, 0);
}

/* Processes and signals. */

uid_t
getuid(void)
{
    return (uid_t)raw(SYS_getuid, 0, 0, 0, 0, 0, 0);
}

gid_t
getegid(void)
{
    return (gid_t)raw(SYS_getegid, 0, 0, 0, 0, 0, 0);
}

pid_t
getpid(void)
{
    return (pid_t)raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

int
getgroups(int n, gid_t *ret)
{
    return (int)call(SYS_getgroups, n, P(ret), 0, 0, 0);
}

/* The kernel says 20 less the value, so that it is never negative. */
int
getpriority(__priority_which_t which, id_t who)
{
    long ret = call(SYS_getpriority, (long)which, (long)who, 0, 0, 0);

    return ret < 0 ? -1 : 20 - (int)ret;
}

int
getrlimit(__rlimit_resource_t resource, struct rlimit *ret)
{
    return (int)call(SYS_prlimit64, 0, (long)resource, 0, P(ret), 0);
}

int
setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return (int)call(SYS_prlimit64, 0, (long)resource, P(limit), 0, 0);
}

int
prctl(int what, ...)
{
    va_list args;
    long v[4];

    va_start(args, what);
    for (size_t i = 0; i < array_len(v); i++)
        v[i] = va_arg(args, long);
    va_end(args);
    return (int)call(SYS_prctl, what, v[0], v[1], v[2], v[3]);
}

long
syscall(long n, ...)
{
    va_list args;
    long v[5];

    va_start(args, n);
    for (size_t i = 0; i < array_len(v); i++)
        v[i] = va_arg(args, long);
    va_end(args);
    return call(n, v[0], v[1], v[2], v[3], v[4]);
}

int
uname(struct utsname *ret)
{
    return (int)call(SYS_uname, P(ret), 0, 0, 0, 0);
}

int
execve(const char *path, char *const *argv, char *const *environ_)
{
    return (int)call(SYS_execve, P(path), P(argv), P(environ_), 0, 0);
}

int
kill(pid_t pid, int signal)
{
    return (int)call(SYS_kill, pid, signal, 0, 0, 0);
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
    return (int)call(SYS_clock_gettime, clock, P(ret), 0, 0, 0);
}

int
sigemptyset(sigset_t *set)
{
    memset(set, 0, sizeof(*set));
    return 0;
}

int
sigfillset(sigset_t *set)
{
    memset(set, 0xff, sizeof(*set));
    return 0;
}

int
sigaddset(sigset_t *set, int signal)
{
    set->__val[0] |= 1ul << (signal - 1);
    return 0;
}

int
sigismember(const sigset_t *set, int signal)
{
    return (int)(set->__val[0] >> (signal - 1) & 1);
}

int
sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict ret_old)
{
    return (int)call(SYS_rt_sigprocmask, how, P(set), P(ret_old), SIGSET_BYTES, 0);
}

/* The kernel's struct, which no header of the C library has. */
struct kernel_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

int
sigaction(int signal, const struct sigaction *restrict action, struct sigaction *restrict ret_old)
{
    struct kernel_action now = {0}, old = {0};
    long rc;

    if (action != NULL) {
        now.handler = action->sa_handler;
        now.flags = (unsigned long)action->sa_flags & 0xffffffffu;
        now.mask = action->sa_mask.__val[0];
#if defined(__x86_64__)
        now.flags |= SA_RESTORER;
        now.restorer = tiny_restorer;
#endif
    }
    rc = call(SYS_rt_sigaction, signal, action != NULL ? P(&now) : 0, ret_old != NULL ? P(&old) : 0,
              SIGSET_BYTES, 0);
    if (rc == 0 && ret_old != NULL) {
        memset(ret_old, 0, sizeof(*ret_old));
        ret_old->sa_handler = old.handler;
        ret_old->sa_flags = (int)old.flags;
        ret_old->sa_mask.__val[0] = old.mask;
    }
    return (int)rc;
}
