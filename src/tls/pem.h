/*
 * pem.h - the certificates and the one private key of a PEM text, as OpenSSL's objects.
 *
 * For this room only: others see bundle.h, which tells about a bundle and holds no key.
 */
#ifndef TLS_PEM_H
#define TLS_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define PEM_CHAIN_MAX 100 /* certificates in one text */

struct pem_bundle {
    X509 *chain[PEM_CHAIN_MAX]; /* leaf first */
    size_t n;
    EVP_PKEY *key;
};

/*
 * pem_read_bundle - at least one certificate and exactly one key, which is not encrypted and
 * belongs to the first certificate; parameters (EC, DH) and text between the blocks are skipped.
 *
 * 0, or -EBADMSG with the sentence; *ret is empty then.
 */
int pem_read_bundle(struct slice text, struct pem_bundle *ret, struct br_err *err);

/* Certificates alone, at least one: whom to trust. */
int pem_read_certificates(struct slice text, struct pem_bundle *ret, struct br_err *err);

void pem_done(struct pem_bundle *b);

/* A string of a certificate as UTF-8, and the first part of a name that has this NID; SLICE_NONE:
 * there is none, or it is not what it says. */
struct slice pem_text(struct arena *a, const ASN1_STRING *string);
struct slice pem_name_part(struct arena *a, const X509_NAME *name, int nid);

#endif
