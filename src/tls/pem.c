/*
 * pem.c - PEM text to certificates and a key.
 *
 *   -----BEGIN CERTIFICATE-----    -> chain, in the order of the text
 *   -----BEGIN … PRIVATE KEY-----  -> key, once
 *   -----BEGIN … PARAMETERS-----   -> skipped: "openssl ecparam -genkey" writes them before the key
 *   -----BEGIN anything else-----  -> refused by name
 *
 * PEM_read_bio gives each block undecoded, so that no passphrase is ever asked for and a block of
 * the wrong kind is named.  See RFC 7468, PEM_read_bio(3ssl), d2i_AutoPrivateKey(3ssl).
 */
#include "tls/pem.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* One block of the text. */
struct block {
    char *label;
    char *header;
    unsigned char *data;
    long size;
};

static bool
is_one_of(const char *label, const char *const *labels)
{
    while (*labels != NULL && strcmp(label, *labels) != 0)
        labels++;
    return *labels != NULL;
}

static const char *const certificate_labels[] = {PEM_STRING_X509, PEM_STRING_X509_OLD, NULL};
static const char *const key_labels[] = {PEM_STRING_PKCS8INF, PEM_STRING_RSA,
                                         PEM_STRING_ECPRIVATEKEY, NULL};
static const char *const parameter_labels[] = {PEM_STRING_ECPARAMETERS, PEM_STRING_DHPARAMS, NULL};

static void
block_done(struct block *b)
{
    OPENSSL_free(b->label);
    OPENSSL_free(b->header);
    OPENSSL_clear_free(b->data, (size_t)b->size);
}

/* 1, 0 at the end of the text, or -EBADMSG. */
static int
next_block(BIO *bio, struct block *ret, size_t number, struct br_err *err)
{
    unsigned long why;

    *ret = (struct block){.label = NULL};
    ERR_clear_error();
    if (PEM_read_bio(bio, &ret->label, &ret->header, &ret->data, &ret->size) == 1)
        return 1;
    why = ERR_peek_last_error();
    ERR_clear_error();
    if (ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE)
        return 0;
    return br_fail(err, -EBADMSG, "block %zu is not proper PEM", number);
}

static int
take_certificate(struct pem_bundle *to, const struct block *b, struct br_err *err)
{
    const unsigned char *at = b->data;
    X509 *certificate;

    if (to->n == PEM_CHAIN_MAX)
        return br_fail(err, -EBADMSG, "there are more than %d certificates", PEM_CHAIN_MAX);
    certificate = d2i_X509(NULL, &at, b->size);
    if (certificate == NULL || at != b->data + b->size) {
        X509_free(certificate);
        return br_fail(err, -EBADMSG, "certificate %zu cannot be decoded", to->n + 1);
    }
    to->chain[to->n++] = certificate;
    return 0;
}

static int
take_key(struct pem_bundle *to, const struct block *b, struct br_err *err)
{
    const unsigned char *at = b->data;

    if (strstr(b->header, "ENCRYPTED") != NULL)
        return br_fail(err, -EBADMSG, "the private key is encrypted");
    if (to->key != NULL)
        return br_fail(err, -EBADMSG, "there is more than one private key");
    to->key = d2i_AutoPrivateKey(NULL, &at, b->size);
    if (to->key == NULL || at != b->data + b->size)
        return br_fail(err, -EBADMSG, "the private key cannot be decoded");
    return 0;
}

static int
take_block(struct pem_bundle *to, const struct block *b, bool keys, struct br_err *err)
{
    if (is_one_of(b->label, certificate_labels))
        return take_certificate(to, b, err);
    if (is_one_of(b->label, parameter_labels))
        return 0;
    if (keys && is_one_of(b->label, key_labels))
        return take_key(to, b, err);
    if (keys && strcmp(b->label, PEM_STRING_PKCS8) == 0)
        return br_fail(err, -EBADMSG, "the private key is encrypted");
    return br_fail(err, -EBADMSG, "a block \"%.64s\" does not belong here", b->label);
}

static int
read_blocks(struct slice text, bool keys, struct pem_bundle *to, struct br_err *err)
{
    BIO *bio = text.n <= INT_MAX ? BIO_new_mem_buf(text.n > 0 ? text.p : "", (int)text.n) : NULL;
    int rc = bio != NULL ? 0 : br_fail(err, -EBADMSG, "it is too large");

    for (size_t number = 1; rc == 0; number++) {
        struct block b;
        int got = next_block(bio, &b, number, err);

        if (got <= 0) {
            rc = got;
            break;
        }
        rc = take_block(to, &b, keys, err);
        block_done(&b);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (rc == 0 && to->n == 0)
        rc = br_fail(err, -EBADMSG, "there is no certificate in it");
    return rc;
}

static int
check_key(const struct pem_bundle *b, struct br_err *err)
{
    size_t owner = 0;

    if (b->key == NULL)
        return br_fail(err, -EBADMSG, "there is no private key in it");
    while (owner < b->n && X509_check_private_key(b->chain[owner], b->key) != 1)
        owner++;
    ERR_clear_error();
    if (owner == 0)
        return 0;
    if (owner < b->n)
        return br_fail(err, -EBADMSG,
                       "the private key belongs to certificate %zu, which must come first",
                       owner + 1);
    return br_fail(err, -EBADMSG, "the private key does not belong to the first certificate");
}

int
pem_read_bundle(struct slice text, struct pem_bundle *ret, struct br_err *err)
{
    int rc;

    *ret = (struct pem_bundle){.n = 0};
    rc = read_blocks(text, true, ret, err);
    if (rc == 0)
        rc = check_key(ret, err);
    if (rc < 0)
        pem_done(ret);
    return rc;
}

int
pem_read_certificates(struct slice text, struct pem_bundle *ret, struct br_err *err)
{
    int rc;

    *ret = (struct pem_bundle){.n = 0};
    rc = read_blocks(text, false, ret, err);
    if (rc < 0)
        pem_done(ret);
    return rc;
}

void
pem_done(struct pem_bundle *b)
{
    for (size_t i = 0; i < b->n; i++)
        X509_free(b->chain[i]);
    EVP_PKEY_free(b->key);
    *b = (struct pem_bundle){.n = 0};
}

/* Of any of six encodings, and it may lie about which: ASN1_STRING_to_UTF8 looks. */
struct slice
pem_text(struct arena *a, const ASN1_STRING *string)
{
    unsigned char *utf8 = NULL;
    int n = ASN1_STRING_to_UTF8(&utf8, string);
    struct slice text = SLICE_NONE;

    if (n > 0)
        text = arena_dup(a, slice_make((const char *)utf8, (size_t)n));
    OPENSSL_free(utf8);
    return text;
}

struct slice
pem_name_part(struct arena *a, const X509_NAME *name, int nid)
{
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    const X509_NAME_ENTRY *entry = at < 0 ? NULL : X509_NAME_get_entry(name, at);

    return entry == NULL ? SLICE_NONE : pem_text(a, X509_NAME_ENTRY_get_data(entry));
}
