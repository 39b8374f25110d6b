/*
 * pki.c - see pki.h.
 *
 * A key is written before its certificate and both under another name first, so that a NAME.pem
 * that exists is whole and has its key: making the folder again goes on where it was interrupted.
 */
#include "client/cli/pki.h"

#include "client/cli/pki_digest.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { DAY_S = 86400, DAYS_VALID = 3650, EXTENSIONS_MAX = 6 };

/* One extension by its numeric id, in the text form of openssl.cnf. */
struct extension {
    int nid;
    const char *value;
};

/* ---- errors ------------------------------------------------------------------------------ */

/* Keep what failed, with OpenSSL's reason when it has one. Always false. */
static bool
failed(struct pki *pki, const char *what, const char *name)
{
    const unsigned long code = ERR_peek_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : strerrordesc_np(errno);

    (void)snprintf(pki->error, sizeof pki->error, "%s %.160s: %s", what, name,
                   reason != NULL ? reason : "unknown error");
    ERR_clear_error();
    return false;
}

/* ---- files ------------------------------------------------------------------------------- */

static bool
path_make(char path[PKI_PATH_MAX], const struct pki *pki, const char *name, const char *end)
{
    const int length = snprintf(path, PKI_PATH_MAX, "%s/%s%s", pki->folder, name, end);

    return length > 0 && length < PKI_PATH_MAX;
}

static bool
certificate_exists(const struct pki *pki, const char *name)
{
    char path[PKI_PATH_MAX];

    return path_make(path, pki, name, ".pem") && access(path, F_OK) == 0;
}

/* Open NAME+end.new for writing with `mode`, whatever the umask; NULL when it cannot be. */
static FILE *
file_begin(const struct pki *pki, const char *name, const char *end, mode_t mode)
{
    char path[PKI_PATH_MAX];
    char full_end[16];
    FILE *file;
    int fd;

    (void)snprintf(full_end, sizeof full_end, "%s.new", end);
    if (!path_make(path, pki, name, full_end)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return NULL;
    }
    file = fdopen(fd, "w");
    if (file == NULL) {
        (void)close(fd);
    }
    return file;
}

/* Close and give it its name. */
static bool
file_finish(const struct pki *pki, FILE *file, const char *name, const char *end)
{
    char from[PKI_PATH_MAX];
    char to[PKI_PATH_MAX];
    char full_end[16];

    (void)snprintf(full_end, sizeof full_end, "%s.new", end);
    if (fclose(file) != 0 || !path_make(from, pki, name, full_end) ||
        !path_make(to, pki, name, end)) {
        return false;
    }
    return rename(from, to) == 0;
}

static bool
pair_write(struct pki *pki, const char *name, EVP_PKEY *key, X509 *certificate)
{
    FILE *file = file_begin(pki, name, ".key", 0600);
    bool written;

    if (file == NULL) {
        return failed(pki, "cannot write the key of", name);
    }
    written = PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (!file_finish(pki, file, name, ".key") || !written) {
        return failed(pki, "cannot write the key of", name);
    }
    file = file_begin(pki, name, ".pem", 0644);
    if (file == NULL) {
        return failed(pki, "cannot write the certificate of", name);
    }
    written = PEM_write_X509(file, certificate) == 1;
    if (!file_finish(pki, file, name, ".pem") || !written) {
        return failed(pki, "cannot write the certificate of", name);
    }
    return true;
}

/* ---- certificates ------------------------------------------------------------------------ */

static bool
serial_set(X509 *certificate)
{
    uint64_t serial;

    if (getrandom(&serial, sizeof serial, 0) != (ssize_t)sizeof serial) {
        return false;
    }
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1;
}

static bool
subject_set(X509 *certificate, const char *name)
{
    return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                      (const unsigned char *)name, -1, -1, 0) == 1;
}

static bool
extensions_add(X509 *certificate, X509 *issuer, const struct extension *extensions)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    for (; extensions->value != NULL; extensions++) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, &context, extensions->nid, extensions->value);
        bool added;

        if (extension == NULL) {
            return false;
        }
        added = X509_add_ext(certificate, extension, -1) == 1;
        X509_EXTENSION_free(extension);
        if (!added) {
            return false;
        }
    }
    return true;
}

/* A certificate for `key`, signed by the CA, or by itself when there is no CA yet. NULL: failed. */
static X509 *
certificate_make(const struct pki *pki, EVP_PKEY *key, const char *name,
                 const struct extension *extensions)
{
    X509 *certificate = X509_new();
    X509 *issuer = pki->certificate != NULL ? pki->certificate : certificate;
    EVP_PKEY *issuer_key = pki->certificate != NULL ? pki->key : key;

    if (certificate == NULL) {
        return NULL;
    }
    if (X509_set_version(certificate, 2) != 1 || !serial_set(certificate) ||
        !subject_set(certificate, name) ||
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) != 1 ||
        X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S) == NULL ||
        X509_gmtime_adj(X509_getm_notAfter(certificate), (long)DAYS_VALID * DAY_S) == NULL ||
        X509_set_pubkey(certificate, key) != 1 ||
        !extensions_add(certificate, issuer, extensions) ||
        X509_sign(certificate, issuer_key, EVP_sha256()) == 0) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

static bool
issue(struct pki *pki, const char *name, const struct extension *extensions)
{
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    bool issued;

    CHECK(pki->certificate != NULL);
    if (certificate_exists(pki, name)) {
        return true;
    }
    key = EVP_EC_gen("P-256");
    certificate = key != NULL ? certificate_make(pki, key, name, extensions) : NULL;
    issued = certificate != NULL ? pair_write(pki, name, key, certificate)
                                 : failed(pki, "cannot make the certificate", name);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return issued;
}

bool
pki_issue_server(struct pki *pki, const char *name)
{
    static const struct extension extensions[EXTENSIONS_MAX] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost"},
        {NID_authority_key_identifier, "keyid"},
        {0, NULL}};

    return issue(pki, name, extensions);
}

bool
pki_issue_client(struct pki *pki, const char *name, uint32_t tenant, uint8_t role)
{
    char role_name[32];
    char uri[96];
    const struct extension extensions[EXTENSIONS_MAX] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "clientAuth"},
        {NID_subject_alt_name, uri},
        {NID_authority_key_identifier, "keyid"},
        {0, NULL}};

    text_role_file(role_name, sizeof role_name, role);
    (void)snprintf(uri, sizeof uri, "URI:urn:zipring:tenant:%u:role:%s", tenant, role_name);
    return issue(pki, name, extensions);
}

/* ---- the CA ------------------------------------------------------------------------------ */

static bool
ca_make(struct pki *pki)
{
    static const struct extension extensions[EXTENSIONS_MAX] = {
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_subject_key_identifier, "hash"},
        {0, NULL}};
    X509 *certificate;

    pki->key = EVP_EC_gen("P-256");
    certificate = pki->key != NULL
                      ? certificate_make(pki, pki->key, "Zipring throw-away CA", extensions)
                      : NULL;
    if (certificate == NULL) {
        return failed(pki, "cannot make", "the CA");
    }
    pki->certificate = certificate;
    return pair_write(pki, "ca", pki->key, certificate);
}

static FILE *
file_open(const struct pki *pki, const char *name, const char *end)
{
    char path[PKI_PATH_MAX];

    return path_make(path, pki, name, end) ? fopen(path, "re") : NULL;
}

static bool
ca_load(struct pki *pki)
{
    FILE *file = file_open(pki, "ca", ".pem");

    if (file != NULL) {
        pki->certificate = PEM_read_X509(file, NULL, NULL, NULL);
        (void)fclose(file);
    }
    if (pki->certificate == NULL) {
        return failed(pki, "cannot read", "ca.pem");
    }
    file = file_open(pki, "ca", ".key");
    if (file != NULL) {
        pki->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        (void)fclose(file);
    }
    return pki->key != NULL || failed(pki, "cannot read", "ca.key");
}

bool
pki_open(struct pki *pki, const char *folder)
{
    const int length = snprintf(pki->folder, sizeof pki->folder, "%s", folder);

    pki->error[0] = '\0';
    pki->key = NULL;
    pki->certificate = NULL;
    if (length <= 0 || (size_t)length >= sizeof pki->folder) {
        errno = ENAMETOOLONG;
        return failed(pki, "cannot use", folder);
    }
    return certificate_exists(pki, "ca") ? ca_load(pki) : ca_make(pki);
}

void
pki_close(struct pki *pki)
{
    X509_free(pki->certificate);
    EVP_PKEY_free(pki->key);
    pki->certificate = NULL;
    pki->key = NULL;
}

/* ---- hashes ------------------------------------------------------------------------------ */

bool
pki_key_hash(struct zr_hash *hash, const char *file, char error[PKI_ERROR_BYTES])
{
    FILE *stream = fopen(file, "re");
    X509 *certificate = NULL;
    unsigned char *der = NULL;
    int der_bytes = -1;

    if (stream == NULL) {
        (void)snprintf(error, PKI_ERROR_BYTES, "%.160s: %s", file, strerrordesc_np(errno));
        return false;
    }
    certificate = PEM_read_X509(stream, NULL, NULL, NULL);
    (void)fclose(stream);
    if (certificate != NULL) {
        der_bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    }
    if (der_bytes > 0) {
        pki_sha256(hash, der, (size_t)der_bytes);
    } else {
        (void)snprintf(error, PKI_ERROR_BYTES, "%.160s: no PEM certificate in it", file);
    }
    OPENSSL_free(der);
    X509_free(certificate);
    ERR_clear_error();
    return der_bytes > 0;
}
