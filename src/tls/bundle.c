/*
 * bundle.c - what a bundle says about itself, in words.
 *
 *   PEM --pem.c--> X509 objects, key --here--> texts in an arena; objects and key are freed
 *
 * OpenSSL 3: X509_get_ext_d2i(3ssl), ASN1_TIME_print(3ssl).
 */
#include "tls/bundle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "tls/pem.h"

#define FINGERPRINT_BYTES 32

static struct bundle_name
read_name(struct arena *a, const X509_NAME *name)
{
    return (struct bundle_name){
        .common_name = pem_name_part(a, name, NID_commonName),
        .country = pem_name_part(a, name, NID_countryName),
        .state_or_province = pem_name_part(a, name, NID_stateOrProvinceName),
        .locality = pem_name_part(a, name, NID_localityName),
        .organization = pem_name_part(a, name, NID_organizationName),
        .department = pem_name_part(a, name, NID_organizationalUnitName),
    };
}

static struct slice
ip_text(struct arena *a, const ASN1_OCTET_STRING *ip)
{
    int n = ASN1_STRING_length(ip);
    int family = n == sizeof(struct in_addr) ? AF_INET : AF_INET6;
    char text[INET6_ADDRSTRLEN];

    if (n != sizeof(struct in_addr) && n != sizeof(struct in6_addr))
        return SLICE_NONE;
    if (inet_ntop(family, ASN1_STRING_get0_data(ip), text, sizeof(text)) == NULL)
        return SLICE_NONE;
    return arena_dup(a, slice_cstr(text));
}

static void
add_alt_name(struct arena *a, const GENERAL_NAME *name, struct bundle_cert *c)
{
    struct slice text;

    if (name->type == GEN_DNS) {
        text = pem_text(a, name->d.dNSName);
        if (text.n > 0)
            c->dns_names[c->n_dns_names++] = text;
    } else if (name->type == GEN_IPADD) {
        text = ip_text(a, name->d.iPAddress);
        if (text.n > 0)
            c->ip_names[c->n_ip_names++] = text;
    }
}

static void
read_alt_names(struct arena *a, const X509 *x, struct bundle_cert *c)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int n = names == NULL ? 0 : sk_GENERAL_NAME_num(names);

    if (n > 0) {
        c->dns_names = arena_array(a, struct slice, (size_t)n);
        c->ip_names = arena_array(a, struct slice, (size_t)n);
    }
    for (int i = 0; i < n; i++)
        add_alt_name(a, sk_GENERAL_NAME_value(names, i), c);
    GENERAL_NAMES_free(names);
}

static struct slice
time_text(struct arena *a, const ASN1_TIME *t)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct slice text = SLICE_NONE;
    char *p;

    if (bio != NULL && ASN1_TIME_print(bio, t) == 1) {
        long n = BIO_get_mem_data(bio, &p);

        text = arena_dup(a, slice_make(p, (size_t)n));
    }
    BIO_free(bio);
    return text;
}

static int64_t
time_seconds(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static struct slice
serial_text(struct arena *a, const X509 *x)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *hex = number == NULL ? NULL : BN_bn2hex(number);
    struct slice text = hex == NULL ? SLICE_NONE : arena_dup(a, slice_cstr(hex));

    OPENSSL_free(hex);
    BN_free(number);
    return text;
}

static struct slice
fingerprint_text(struct arena *a, const X509 *x)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[FINGERPRINT_BYTES * 3];
    unsigned n = 0;

    if (X509_digest(x, EVP_sha256(), digest, &n) != 1 || n != FINGERPRINT_BYTES)
        return SLICE_NONE;
    for (unsigned i = 0; i < n; i++) {
        text[3 * i] = digits[digest[i] >> 4];
        text[3 * i + 1] = digits[digest[i] & 15];
        text[3 * i + 2] = ':';
    }
    return arena_dup(a, slice_make(text, sizeof(text) - 1));
}

static struct bundle_cert
read_cert(struct arena *a, const X509 *x)
{
    struct bundle_cert c = {
        .subject = read_name(a, X509_get_subject_name(x)),
        .issuer = read_name(a, X509_get_issuer_name(x)),
        .since = time_text(a, X509_get0_notBefore(x)),
        .until = time_text(a, X509_get0_notAfter(x)),
        .until_s = time_seconds(X509_get0_notAfter(x)),
        .serial = serial_text(a, x),
        .fingerprint = fingerprint_text(a, x),
    };

    read_alt_names(a, x, &c);
    return c;
}

static struct slice
key_text(struct arena *a, const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return slice_cstr(arena_printf(a, "RSA (%d bits)", EVP_PKEY_get_bits(key)));
    case EVP_PKEY_DH:
        return slice_cstr(arena_printf(a, "DH (%d bits)", EVP_PKEY_get_bits(key)));
    case EVP_PKEY_EC:
        return SLICE("ECDH");
    default:
        return SLICE("unknown");
    }
}

int
bundle_read(struct arena *a, struct slice pem, struct bundle *ret, struct br_err *err)
{
    struct pem_bundle b;
    int rc;

    if (pem.n > BUNDLE_BYTES_MAX)
        return br_fail(err, -EBADMSG, "it is larger than %u bytes", BUNDLE_BYTES_MAX);
    rc = pem_read_bundle(pem, &b, err);
    if (rc < 0)
        return rc;
    ret->key = key_text(a, b.key);
    ret->n = b.n;
    ret->chain = arena_array(a, struct bundle_cert, b.n);
    for (size_t i = 0; i < b.n; i++)
        ret->chain[i] = read_cert(a, b.chain[i]);
    pem_done(&b);
    ERR_clear_error();
    return 0;
}

void
bundle_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
