/*
 * sha256.h - SHA-256 (FIPS 180-4), so that a script's name costs no library at start-up.
 */
#ifndef INTERP_SHA256_H
#define INTERP_SHA256_H

#include "base/attr.h"

#define SHA256_BYTES 32

struct sha256 {
    uint32_t h[8];
    uint64_t n;        /* bytes so far */
    uint8_t block[64]; /* the n % 64 that fill no block yet */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
/* The struct is used up. */
void sha256_end(struct sha256 *s, uint8_t ret_digest[SHA256_BYTES]);

#endif
