/*
 * certs.c - certificates and keys for tests, made on the spot.
 */
#include "certs.h"

#include <stdlib.h>

static void
must(bool truth)
{
    if (!truth)
        abort();
}

EVP_PKEY *
certs_key_ec(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    must(key != NULL);
    return key;
}

EVP_PKEY *
certs_key_rsa(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);

    must(key != NULL);
    return key;
}

static void
add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL && X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

X509 *
certs_make(const char *common_name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
           const char *alt)
{
    static long serial = 0x1000;
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);

    must(X509_set_version(x, X509_VERSION_3) == 1);
    must(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(x), 90L * 86400) != NULL);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name,
                                    -1, -1, 0) == 1);
    must(X509_NAME_add_entry_by_txt(name, "C", MBSTRING_ASC, (const unsigned char *)"NL", -1, -1,
                                    0) == 1);
    must(X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_UTF8, (const unsigned char *)"Hühner", -1,
                                    -1, 0) == 1);
    must(X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : name) == 1);
    must(X509_set_pubkey(x, key) == 1);
    if (alt != NULL)
        add_extension(x, NID_subject_alt_name, alt);
    else
        add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    must(X509_sign(x, issuer_key != NULL ? issuer_key : key, EVP_sha256()) > 0);
    return x;
}

void
certs_put(BIO *pem, X509 *certificate)
{
    must(PEM_write_bio_X509(pem, certificate) == 1);
}

void
certs_put_key(BIO *pem, EVP_PKEY *key)
{
    must(PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1);
}

struct slice
certs_text(BIO *pem)
{
    char *p;
    long n = BIO_get_mem_data(pem, &p);

    return slice_make(p, (size_t)n);
}
