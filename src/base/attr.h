/*
 * attr.h - compiler attributes and the few macros that every file uses.
 */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

/* Run fn(&variable) when the variable leaves its scope. */
#define br_cleanup(fn) __attribute__((cleanup(fn)))

#define br_printf(fmt, first) __attribute__((format(printf, fmt, first)))
#define br_unused             __attribute__((unused))
#define br_noreturn           __attribute__((noreturn))
#define br_must_check         __attribute__((warn_unused_result))
#define br_aligned(n)         __attribute__((aligned(n)))
#define br_public             __attribute__((visibility("default")))

#define br_likely(x)   __builtin_expect(!!(x), 1)
#define br_unlikely(x) __builtin_expect(!!(x), 0)

#define BR_CACHE_LINE 64

/* The struct of which ptr is the member. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define array_len(a) (sizeof(a) / sizeof((a)[0]))

#define br_min(a, b)                       \
    ({                                     \
        __typeof__(a) min_a_ = (a);        \
        __typeof__(b) min_b_ = (b);        \
        min_a_ < min_b_ ? min_a_ : min_b_; \
    })
#define br_max(a, b)                       \
    ({                                     \
        __typeof__(a) max_a_ = (a);        \
        __typeof__(b) max_b_ = (b);        \
        max_a_ > max_b_ ? max_a_ : max_b_; \
    })

#endif
