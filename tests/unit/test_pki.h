/*
 * test_pki.h - certificates made for one run, for the tests of server/net.
 *
 * Inline, because a test that is only about the protocol must not need OpenSSL to link.
 */
#ifndef ZR_TEST_PKI_H
#define ZR_TEST_PKI_H

#include "tests/lib/test.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <string.h>

struct issued {
    EVP_PKEY *key;
    X509 *certificate;
};

static inline void
add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by `issuer`, or by itself when NULL. `usage` and `san` may be NULL. */
static inline struct issued
issue(const struct issued *issuer, EVP_PKEY *key, const char *usage, const char *san)
{
    static long serial = 1;
    const struct issued made = {.key = key, .certificate = X509_new()};
    X509 *const certificate = made.certificate;
    X509 *const parent = issuer == NULL ? certificate : issuer->certificate;
    X509_NAME *const name = X509_get_subject_name(certificate);
    const char *const text = usage == NULL ? "test CA" : "test leaf";

    assert_non_null(key);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)text, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(parent)), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    if (usage == NULL) {
        add_extension(certificate, parent, NID_basic_constraints, "critical,CA:TRUE");
    } else if (usage[0] != '\0') {
        add_extension(certificate, parent, NID_ext_key_usage, usage);
    }
    if (san != NULL) {
        add_extension(certificate, parent, NID_subject_alt_name, san);
    }
    assert_true(X509_sign(certificate, issuer == NULL ? key : issuer->key, EVP_sha256()) > 0);
    return made;
}

static inline void
issued_free(struct issued *issued)
{
    EVP_PKEY_free(issued->key);
    X509_free(issued->certificate);
    *issued = (struct issued){0};
}

static inline void
write_pem(const char *path, X509 *certificate, EVP_PKEY *key)
{
    FILE *const file = fopen(path, "we");

    assert_non_null(file);
    if (certificate != NULL) {
        assert_int_equal(PEM_write_X509(file, certificate), 1);
    }
    if (key != NULL) {
        assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    }
    assert_int_equal(fclose(file), 0);
}

#endif
