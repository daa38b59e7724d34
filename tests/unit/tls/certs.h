/*
 * certs.h - certificates and keys for tests, made on the spot.
 */
#ifndef TESTS_UNIT_TLS_CERTS_H
#define TESTS_UNIT_TLS_CERTS_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/slice.h"

EVP_PKEY *certs_key_ec(void);
EVP_PKEY *certs_key_rsa(void);

/*
 * A certificate of that name for key, valid for 90 days, signed by issuer (NULL: by itself).
 *   alt   as in openssl.cnf, "DNS:a.example,IP:::1", or NULL
 */
X509 *certs_make(const char *common_name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                 const char *alt);

/* Append to a PEM text. */
void certs_put(BIO *pem, X509 *certificate);
void certs_put_key(BIO *pem, EVP_PKEY *key);
struct slice certs_text(BIO *pem);

#endif
