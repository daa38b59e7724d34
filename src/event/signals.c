/*
 * signals.c - one handler for the process, one hub for each loop that asked.
 *
 *   handler(sig):  for each hub that wants sig:  count[sig]++, write(bell)
 *   loop:          bell -> each count back to 0 -> fn of each watch, as often
 *
 * The handler takes no lock: it looks at a fixed array of hubs, whose words are atomic.  A bell may
 * only be closed when no handler of another thread is about to write to it, so who closes it first
 * withdraws what the hub wants, then waits until no handler is under way; this takes no longer than
 * a few instructions of that thread.  The thread that waits is in no handler itself.
 *
 * A forked child shares the bells with its parent: a handler that finds itself in another process
 * than the one that owns the hubs does nothing.  See signal-safety(7), eventfd(2), fork(2).
 */
#include "event/signals.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

struct hub {
    atomic_int bell;
    atomic_uint_least64_t wanted; /* a bit for each signal */
    atomic_uint count[NSIG];
    struct loop *loop; /* NULL: free; under the lock */
    struct watch watch;
    struct list watches;
    struct list *next; /* of the delivery under way */
};

static struct hub hubs[SIGNALS_LOOPS];
static atomic_int owner;      /* the process whose hubs these are */
static atomic_uint under_way; /* handlers that run now */
static uint32_t life = 1;

/* The lock guards which loop has which hub, and these: */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users[NSIG];
static struct sigaction before[NSIG];

static uint64_t
bit(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

static void
handler(int signo)
{
    static const uint64_t one = 1;
    int saved = errno;

    if (getpid() == atomic_load(&owner)) {
        atomic_fetch_add(&under_way, 1);
        for (unsigned i = 0; i < SIGNALS_LOOPS; i++) {
            if ((atomic_load(&hubs[i].wanted) & bit(signo)) == 0)
                continue;
            atomic_fetch_add(&hubs[i].count[signo], 1);
            /* Fails only when 2^64 - 2 rings wait: then the loop is awake anyhow. */
            (void)!write(atomic_load(&hubs[i].bell), &one, sizeof(one));
        }
        atomic_fetch_sub(&under_way, 1);
    }
    errno = saved;
}

static struct hub *
hub_of(const struct loop *loop)
{
    for (unsigned i = 0; i < SIGNALS_LOOPS; i++)
        if (hubs[i].loop == loop)
            return &hubs[i];
    return NULL;
}

/* Each watch of that signal once.  false: the hub is closed. */
static bool
deliver(struct hub *hub, struct loop *loop, int signo)
{
    struct list *l = hub->watches.next;

    while (l != &hub->watches) {
        struct signal_watch *w = list_entry(l, struct signal_watch, link);

        hub->next = l->next;
        if (w->signo == signo)
            w->fn(w, signo);
        if (hub->loop != loop)
            return false;
        l = hub->next;
    }
    hub->next = NULL;
    return true;
}

static void
on_bell(struct watch *watch, br_unused uint32_t events)
{
    struct hub *hub = container_of(watch, struct hub, watch);
    struct loop *loop = hub->loop;
    uint64_t rings;

    if (read(watch->fd, &rings, sizeof(rings)) < 0)
        return;
    for (int signo = 1; signo < NSIG; signo++) {
        unsigned n = atomic_exchange(&hub->count[signo], 0);

        while (n-- > 0)
            if (!deliver(hub, loop, signo))
                return;
    }
}

/* Under the lock. */
static int
hub_open(struct loop *loop, struct hub **ret_hub)
{
    struct hub *hub = hub_of(loop);
    int bell, rc;

    if (hub != NULL) {
        *ret_hub = hub;
        return 0;
    }
    hub = hub_of(NULL);
    if (hub == NULL)
        return -ENOSPC;
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (bell < 0)
        return -errno;
    rc = loop_add(loop, &hub->watch, bell, EPOLLIN, on_bell);
    if (rc < 0) {
        fd_close(&bell);
        return rc;
    }
    for (int signo = 1; signo < NSIG; signo++)
        atomic_store(&hub->count[signo], 0);
    list_init(&hub->watches);
    atomic_store(&hub->bell, bell);
    hub->loop = loop;
    *ret_hub = hub;
    return 0;
}

/* Under the lock; no handler of this thread is under way. */
static void
hub_close(struct hub *hub)
{
    int bell = atomic_load(&hub->bell);

    atomic_store(&hub->wanted, 0);
    while (atomic_load(&under_way) > 0)
        sched_yield();
    loop_del(hub->loop, &hub->watch);
    fd_close(&bell);
    hub->loop = NULL;
}

/* Under the lock.  The handler runs from here on. */
static int
install(int signo)
{
    struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};

    if (users[signo] == 0) {
        sigfillset(&sa.sa_mask);
        atomic_store(&owner, getpid());
        if (sigaction(signo, &sa, &before[signo]) < 0)
            return -errno;
    }
    users[signo]++;
    return 0;
}

static void
uninstall(int signo)
{
    if (--users[signo] == 0)
        sigaction(signo, &before[signo], NULL);
}

static bool
wants(const struct hub *hub, int signo)
{
    const struct signal_watch *w;

    list_foreach (w, &hub->watches, link)
        if (w->signo == signo)
            return true;
    return false;
}

/* Under the lock. */
static void
remove_watch(struct hub *hub, struct signal_watch *w)
{
    if (hub->next == &w->link)
        hub->next = w->link.next;
    list_del(&w->link);
    w->loop = NULL;
    uninstall(w->signo);
    if (!wants(hub, w->signo)) {
        atomic_fetch_and(&hub->wanted, ~bit(w->signo));
        atomic_store(&hub->count[w->signo], 0);
    }
    if (list_empty(&hub->watches))
        hub_close(hub);
}

int
signal_watch(struct signal_watch *w, struct loop *loop, int signo, signal_watch_fn *fn)
{
    struct hub *hub = NULL;
    int rc;

    if (signo < 1 || signo >= NSIG)
        return -EINVAL;
    pthread_mutex_lock(&lock);
    rc = hub_open(loop, &hub);
    if (rc == 0) {
        rc = install(signo);
        if (rc == 0) {
            *w = (struct signal_watch){.loop = loop, .life = life, .signo = signo, .fn = fn};
            list_add_tail(&hub->watches, &w->link);
            atomic_fetch_or(&hub->wanted, bit(signo));
        } else if (list_empty(&hub->watches)) {
            hub_close(hub);
        }
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void
signal_unwatch(struct signal_watch *w)
{
    struct hub *hub;

    if (w->loop == NULL)
        return;
    pthread_mutex_lock(&lock);
    hub = w->life == life ? hub_of(w->loop) : NULL;
    if (hub != NULL)
        remove_watch(hub, w);
    w->loop = NULL;
    pthread_mutex_unlock(&lock);
}

void
signals_end(struct loop *loop)
{
    struct hub *hub;

    pthread_mutex_lock(&lock);
    hub = hub_of(loop);
    while (hub != NULL && hub->loop == loop)
        remove_watch(hub, list_first(&hub->watches, struct signal_watch, link));
    pthread_mutex_unlock(&lock);
}

/*
 * The lock may have been held by a thread that this process does not have: it is made anew, and so
 * is all that it guards.
 */
void
signals_after_fork(void)
{
    int of = atomic_load(&owner);

    if (of == 0 || of == getpid())
        return;
    pthread_mutex_init(&lock, NULL);
    atomic_store(&under_way, 0);
    for (int signo = 1; signo < NSIG; signo++) {
        if (users[signo] > 0)
            sigaction(signo, &before[signo], NULL);
        users[signo] = 0;
    }
    for (unsigned i = 0; i < SIGNALS_LOOPS; i++) {
        int bell = atomic_load(&hubs[i].bell);

        if (hubs[i].loop == NULL)
            continue;
        atomic_store(&hubs[i].wanted, 0);
        hubs[i].watch = (struct watch){.fd = -1};
        fd_close(&bell);
        hubs[i].loop = NULL;
    }
    atomic_store(&owner, 0);
    life++;
}
