/*
 * lib_bench.h - what the parts of lib_bench share.
 */
#ifndef BENCH_LIB_BENCH_H
#define BENCH_LIB_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define SAMPLES_MAX 4096

/* Microseconds of one way of doing it, round by round. */
struct series {
    const char *name;
    double us[SAMPLES_MAX];
    unsigned n;
};

double now_us(void);
void series_add(struct series *s, double us);
double series_median(struct series *s);
/* One line: name, median, ratio to the base's. */
void series_print(struct series *s, struct series *base);

void bench_spawn(unsigned mib, unsigned rounds);
void bench_exits(unsigned n);
void bench_channel(unsigned rounds);
void bench_hand_over(unsigned rounds);

/* lib_bench_uv.c, or nothing when the bench is built without libuv. */
#ifdef HAVE_LIBUV
double uv_spawn_once(const char *program);
/* Serve until killed: a master that hands over to `workers` forks by uv_write2.  Does not return.
 */
void uv_serve(int listen_fd, unsigned workers);
#endif

#endif
