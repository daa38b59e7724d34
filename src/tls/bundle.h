/*
 * bundle.h - a certificate chain with its private key: is it one, and what does it say?
 *
 * What is kept of it is public: the key is looked at, and forgotten before bundle_read returns.
 */
#ifndef TLS_BUNDLE_H
#define TLS_BUNDLE_H

#include "base/arena.h"
#include "base/err.h"

#define BUNDLE_BYTES_MAX (1024u * 1024)

/* Empty slices: not said. */
struct bundle_name {
    struct slice common_name;
    struct slice country;
    struct slice state_or_province;
    struct slice locality;
    struct slice organization;
    struct slice department;
};

struct bundle_cert {
    struct bundle_name subject;
    struct bundle_name issuer;
    struct slice *dns_names; /* alternative names of the subject */
    size_t n_dns_names;
    struct slice *ip_names; /* as text */
    size_t n_ip_names;
    struct slice since; /* "Sep 18 19:46:19 2022 GMT" */
    struct slice until;
    int64_t until_s;          /* since 1970 */
    struct slice serial;      /* hexadecimal */
    struct slice fingerprint; /* SHA-256, "AB:CD:…" */
};

struct bundle {
    struct slice key;          /* "RSA (2048 bits)", "DH (2048 bits)", "ECDH", "unknown" */
    struct bundle_cert *chain; /* leaf first */
    size_t n;
};

/*
 * bundle_read - check a PEM text and describe it.
 *
 *   ret   lives in a; nothing points into pem
 *
 * All texts in it are valid UTF-8.  0, or -EBADMSG with the sentence.
 */
int bundle_read(struct arena *a, struct slice pem, struct bundle *ret, struct br_err *err);

/* Overwrite a text that held a key. */
void bundle_wipe(void *p, size_t n);

#endif
