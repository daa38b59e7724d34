/*
 * fuzz_bundle.c - any bytes as a certificate bundle.
 *
 * What is refused has a sentence; what is taken has a chain, and says nothing that is not UTF-8
 * text of its own.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>

#include "tls/bundle.h"

static void
must(bool truth)
{
    if (!truth)
        abort();
}

/* Reads each byte: a sanitizer sees what is not ours. */
static void
look_at(struct slice text)
{
    volatile unsigned sum = 0;

    for (size_t i = 0; i < text.n; i++)
        sum += (unsigned char)text.p[i];
}

static void
look_at_cert(const struct bundle_cert *c)
{
    look_at(c->subject.common_name);
    look_at(c->issuer.common_name);
    look_at(c->since);
    look_at(c->until);
    look_at(c->serial);
    must(c->fingerprint.n == 95);
    for (size_t i = 0; i < c->n_dns_names; i++)
        must(c->dns_names[i].n > 0);
    for (size_t i = 0; i < c->n_ip_names; i++)
        must(c->ip_names[i].n > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct br_err err = BR_ERR_NONE;
    struct bundle b;
    struct arena a;
    int rc;

    arena_init(&a, 0);
    rc = bundle_read(&a, slice_make((const char *)data, n), &b, &err);
    must(rc == 0 || rc == -EBADMSG);
    if (rc == 0) {
        must(b.n > 0 && b.key.n > 0);
        for (size_t i = 0; i < b.n; i++)
            look_at_cert(&b.chain[i]);
    } else {
        must(err.text[0] != '\0');
    }
    arena_done(&a);
    return 0;
}
