/*
 * describe.c - what a server says of itself when it is asked: `name=value` lines.
 */
#include <unistd.h>

#include "base/clock.h"
#include "interp/server.h"

void
server_describe(struct server *s, struct buf *to)
{
    const struct stale_file *f = stale_find(&s->stale);
    int64_t now = clock_ms();
    struct executor *e;

    buf_printf(to, "pid=%d\n", (int)getpid());
    buf_printf(to, "interpreter=%d\n", (int)s->interpreter);
    buf_printf(to, "script=%s\n", s->hello.script);
    for (size_t i = 0; i < s->hello.n_words; i++)
        buf_printf(to, "word=%s\n", s->hello.words[i]);
    buf_printf(to, "state=%s\n", s->leaving ? "leaving" : f != NULL ? "stale" : "up");
    if (f != NULL)
        buf_printf(to, "stale=%s\n", f->path);
    buf_printf(to, "start=%lld.%09ld\n", (long long)s->hello.start.tv_sec, s->hello.start.tv_nsec);
    buf_printf(to, "age_s=%lld\n", (long long)((now - s->born_ms) / 1000));
    buf_printf(to, "idle_s=%lld\n", (long long)((now - s->last_ms) / 1000));
    buf_printf(to, "calls=%llu\n", (unsigned long long)s->served);
    buf_printf(to, "running=%u\nwaiting=%u\nspare=%u\nmax=%lld\n", s->n_busy, s->n_waiting,
               s->n_spare, (long long)s->hello.max_servers);
    buf_printf(to, "files=%zu\n", s->stale.n);
    list_foreach (e, &s->executors, link)
        if (e->pid != 0 && !e->told)
            buf_printf(to, "process=%d %s\n", (int)e->pid,
                       e->state == EXECUTOR_SPARE ? "spare" : "busy");
}
