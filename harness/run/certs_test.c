#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run/certs.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/nobrick-certs-test-XXXXXX";

static X509 *read_certificate(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s.crt", dir, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(certificate);
    return certificate;
}

/* What a client that trusts `ca` says to a server at `host` that shows `name`. */
static int verdict(const char *name, const char *host, int purpose)
{
    X509 *authority = read_certificate(NB_CERTS_CA);
    X509 *certificate = read_certificate(name);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_add_cert(store, authority), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, certificate, NULL), 1);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_purpose(parameters, purpose);
    if (host)
        X509_VERIFY_PARAM_set1_ip_asc(parameters, host);
    int good = X509_verify_cert(context);
    int error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(certificate);
    X509_free(authority);
    return good == 1 ? X509_V_OK : error;
}

static void each_is_refused_for_its_own_reason(void **state)
{
    static const struct {
        enum nb_tls kind;
        int error;
    } cases[] = {
        {NB_TLS_SERVER, X509_V_OK},
        {NB_TLS_CLIENT, X509_V_OK},
        {NB_TLS_STRANGER, X509_V_OK},
        {NB_TLS_IMPOSTOR, X509_V_ERR_CERT_SIGNATURE_FAILURE},
        {NB_TLS_UNKNOWN_CA, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
        {NB_TLS_SELF_SIGNED, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
        {NB_TLS_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED},
        {NB_TLS_EARLY, X509_V_ERR_CERT_NOT_YET_VALID},
        {NB_TLS_WRONG_NAME, X509_V_ERR_IP_ADDRESS_MISMATCH},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            verdict(nb_certs_server(cases[i].kind), "127.0.0.1", X509_PURPOSE_SSL_SERVER),
            cases[i].error);
}

static void devices_have_theirs(void **state)
{
    (void)state;
    assert_null(nb_certs_client(NB_TLS_SERVER));
    assert_false(nb_certs_mutual(NB_TLS_EXPIRED));
    assert_true(nb_certs_mutual(NB_TLS_STRANGER));
    assert_int_equal(verdict(nb_certs_client(NB_TLS_CLIENT), NULL, X509_PURPOSE_SSL_CLIENT),
                     X509_V_OK);
    assert_int_not_equal(verdict(nb_certs_client(NB_TLS_STRANGER), NULL, X509_PURPOSE_SSL_CLIENT),
                         X509_V_OK);
}

static void keys_are_private(void **state)
{
    struct stat info;
    char path[300];
    (void)state;
    snprintf(path, sizeof path, "%s/server.key", dir);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(dir) && nb_certs_make(dir) == 0 ? 0 : -1;
}

static int clean(void **state)
{
    DIR *entries = opendir(dir);
    (void)state;
    for (struct dirent *entry; entries && (entry = readdir(entries)) != NULL;) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    if (entries)
        closedir(entries);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_refused_for_its_own_reason),
        cmocka_unit_test(devices_have_theirs),
        cmocka_unit_test(keys_are_private),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
