/*
 * bundle_test.c - what is a bundle, what is not and why, and what one says.
 */
#include "tls/bundle.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "certs.h"

struct fixture {
    EVP_PKEY *ca_key, *key, *rsa;
    X509 *ca, *leaf, *rsa_leaf;
    BIO *pem;
    struct arena arena;
    struct bundle bundle;
    struct br_err err;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->ca_key = certs_key_ec();
    f->key = certs_key_ec();
    f->rsa = certs_key_rsa();
    f->ca = certs_make("Test root", f->ca_key, NULL, NULL, NULL);
    f->leaf = certs_make("leaf.example", f->key, f->ca, f->ca_key,
                         "DNS:leaf.example,DNS:*.leaf.example,IP:192.0.2.7,IP:2001:db8::7");
    f->rsa_leaf = certs_make("rsa.example", f->rsa, NULL, NULL, "email:x@example.org");
    f->pem = BIO_new(BIO_s_mem());
    arena_init(&f->arena, 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    X509_free(f->ca);
    X509_free(f->leaf);
    X509_free(f->rsa_leaf);
    EVP_PKEY_free(f->ca_key);
    EVP_PKEY_free(f->key);
    EVP_PKEY_free(f->rsa);
    BIO_free(f->pem);
    arena_done(&f->arena);
    free(f);
    return 0;
}

static int
read_it(struct fixture *f)
{
    f->err = BR_ERR_NONE;
    return bundle_read(&f->arena, certs_text(f->pem), &f->bundle, &f->err);
}

static void
assert_refused(struct fixture *f, const char *why)
{
    assert_int_equal(read_it(f), -EBADMSG);
    assert_string_equal(f->err.text, why);
}

static void
assert_text(struct slice text, const char *expected)
{
    assert_int_equal(text.n, strlen(expected));
    assert_memory_equal(text.p, expected, text.n);
}

static void
a_chain_is_described_in_its_order(void **state)
{
    struct fixture *f = *state;
    const struct bundle_cert *leaf;

    certs_put(f->pem, f->leaf);
    certs_put(f->pem, f->ca);
    certs_put_key(f->pem, f->key);
    assert_int_equal(read_it(f), 0);
    assert_text(f->bundle.key, "ECDH");
    assert_int_equal(f->bundle.n, 2);
    leaf = &f->bundle.chain[0];
    assert_text(leaf->subject.common_name, "leaf.example");
    assert_text(leaf->subject.country, "NL");
    assert_text(leaf->subject.department, "Hühner");
    assert_int_equal(leaf->subject.organization.n, 0);
    assert_text(leaf->issuer.common_name, "Test root");
    assert_int_equal(leaf->n_dns_names, 2);
    assert_text(leaf->dns_names[1], "*.leaf.example");
    assert_int_equal(leaf->n_ip_names, 2);
    assert_text(leaf->ip_names[0], "192.0.2.7");
    assert_text(leaf->ip_names[1], "2001:db8::7");
    assert_int_equal(leaf->fingerprint.n, 32 * 3 - 1);
    assert_int_equal(leaf->fingerprint.p[2], ':');
    assert_text(f->bundle.chain[1].subject.common_name, "Test root");
    assert_int_equal(f->bundle.chain[1].n_dns_names, 0);
}

static void
dates_are_printed_as_openssl_does(void **state)
{
    struct fixture *f = *state;
    char expected[64];
    struct tm tm;
    time_t until;

    certs_put(f->pem, f->leaf);
    certs_put_key(f->pem, f->key);
    assert_int_equal(read_it(f), 0);
    until = (time_t)f->bundle.chain[0].until_s;
    assert_true(until > time(NULL) + 89 * 86400 && until <= time(NULL) + 90 * 86400);
    assert_non_null(gmtime_r(&until, &tm));
    assert_int_not_equal(strftime(expected, sizeof(expected), "%b %e %H:%M:%S %Y GMT", &tm), 0);
    assert_text(f->bundle.chain[0].until, expected);
}

static void
the_key_may_stand_anywhere(void **state)
{
    struct fixture *f = *state;

    BIO_puts(f->pem, "Bag Attributes\n  friendlyName: x\n");
    certs_put_key(f->pem, f->key);
    BIO_puts(f->pem, "subject=CN = leaf.example\n\n");
    certs_put(f->pem, f->leaf);
    certs_put(f->pem, f->ca);
    assert_int_equal(read_it(f), 0);
    assert_int_equal(f->bundle.n, 2);
}

static void
keys_of_each_form_are_taken(void **state)
{
    struct fixture *f = *state;

    certs_put(f->pem, f->rsa_leaf);
    assert_int_equal(
        PEM_write_bio_PrivateKey_traditional(f->pem, f->rsa, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(read_it(f), 0);
    assert_text(f->bundle.key, "RSA (2048 bits)");
    assert_int_equal(f->bundle.chain[0].n_dns_names, 0);

    (void)BIO_reset(f->pem);
    BIO_puts(f->pem, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                     "-----END EC PARAMETERS-----\n");
    assert_int_equal(
        PEM_write_bio_PrivateKey_traditional(f->pem, f->key, NULL, NULL, 0, NULL, NULL), 1);
    certs_put(f->pem, f->leaf);
    assert_int_equal(read_it(f), 0);
}

static void
a_key_of_another_certificate_is_refused(void **state)
{
    struct fixture *f = *state;

    certs_put(f->pem, f->leaf);
    certs_put_key(f->pem, f->rsa);
    assert_refused(f, "the private key does not belong to the first certificate");

    (void)BIO_reset(f->pem);
    certs_put(f->pem, f->ca);
    certs_put(f->pem, f->leaf);
    certs_put_key(f->pem, f->key);
    assert_refused(f, "the private key belongs to certificate 2, which must come first");
}

static void
exactly_one_key_and_a_certificate_are_needed(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "there is no certificate in it");
    BIO_puts(f->pem, "what is this\n");
    assert_refused(f, "there is no certificate in it");
    certs_put_key(f->pem, f->key);
    assert_refused(f, "there is no certificate in it");
    certs_put(f->pem, f->leaf);
    certs_put_key(f->pem, f->rsa);
    assert_refused(f, "there is more than one private key");

    (void)BIO_reset(f->pem);
    certs_put(f->pem, f->leaf);
    assert_refused(f, "there is no private key in it");
}

static void
an_encrypted_key_is_refused_without_asking(void **state)
{
    struct fixture *f = *state;

    certs_put(f->pem, f->leaf);
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(f->pem, f->key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL),
        1);
    assert_refused(f, "the private key is encrypted");

    (void)BIO_reset(f->pem);
    certs_put(f->pem, f->leaf);
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(f->pem, f->key, EVP_aes_128_cbc(),
                                                          (unsigned char *)"secret", 6, NULL, NULL),
                     1);
    assert_refused(f, "the private key is encrypted");
}

static void
what_does_not_belong_is_named(void **state)
{
    struct fixture *f = *state;

    certs_put(f->pem, f->leaf);
    BIO_puts(f->pem, "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"
                     "-----END CERTIFICATE REQUEST-----\n");
    assert_refused(f, "a block \"CERTIFICATE REQUEST\" does not belong here");

    (void)BIO_reset(f->pem);
    certs_put(f->pem, f->leaf);
    BIO_puts(f->pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_refused(f, "certificate 2 cannot be decoded");

    (void)BIO_reset(f->pem);
    certs_put(f->pem, f->leaf);
    BIO_puts(f->pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert_refused(f, "the private key cannot be decoded");

    (void)BIO_reset(f->pem);
    certs_put(f->pem, f->leaf);
    BIO_puts(f->pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n");
    assert_refused(f, "block 2 is not proper PEM");
}

static void
a_text_has_a_limit(void **state)
{
    struct fixture *f = *state;
    char *large = calloc(1, BUNDLE_BYTES_MAX + 1);

    assert_int_equal(
        bundle_read(&f->arena, slice_make(large, BUNDLE_BYTES_MAX + 1), &f->bundle, &f->err),
        -EBADMSG);
    free(large);
    for (int i = 0; i < 101; i++)
        certs_put(f->pem, f->leaf);
    assert_refused(f, "there are more than 100 certificates");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_chain_is_described_in_its_order),
        TEST(dates_are_printed_as_openssl_does),
        TEST(the_key_may_stand_anywhere),
        TEST(keys_of_each_form_are_taken),
        TEST(a_key_of_another_certificate_is_refused),
        TEST(exactly_one_key_and_a_certificate_are_needed),
        TEST(an_encrypted_key_is_refused_without_asking),
        TEST(what_does_not_belong_is_named),
        TEST(a_text_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
