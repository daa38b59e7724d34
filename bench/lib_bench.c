/*
 * lib_bench.c - what libbrood costs, beside the bare system calls and beside libuv.
 *
 *   lib_bench [spawn | exits | channel | handover]       without: all
 *
 * Ways of doing the same are interleaved, round by round, so that a busy machine disturbs all of
 * them; read the ratios.  Built with libuv's column when libuv1-dev is there.
 */
#include "lib_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

void
series_add(struct series *s, double us)
{
    if (s->n < SAMPLES_MAX)
        s->us[s->n++] = us;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double
series_median(struct series *s)
{
    qsort(s->us, s->n, sizeof(s->us[0]), compare);
    return s->n > 0 ? s->us[s->n / 2] : 0;
}

void
series_print(struct series *s, struct series *base)
{
    double median = series_median(s);

    printf("  %-44s %10.1f us   %5.2f\n", s->name, median, median / series_median(base));
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "all";
    bool all = strcmp(which, "all") == 0;

    if (all || strcmp(which, "spawn") == 0)
        bench_spawn(1024, 101);
    if (all || strcmp(which, "exits") == 0) {
        bench_exits(1000);
        bench_exits(10000);
    }
    if (all || strcmp(which, "channel") == 0)
        bench_channel(15);
    if (all || strcmp(which, "handover") == 0)
        bench_hand_over(9);
    return 0;
}
