/*
 * test_document.c - PROTOCOL.md says what the .def files say: a document that customers write
 * clients from must not drift. `make docs` puts the sections in place.
 */
#include "tests/lib/document.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

static char *document;

static int
load(void **state)
{
    FILE *file = fopen("protocol/PROTOCOL.md", "re");
    enum { BYTES_MAX = 1 << 20 };
    size_t bytes;

    (void)state;
    document = calloc(1, BYTES_MAX);
    if (file == NULL || document == NULL) {
        return 1;
    }
    bytes = fread(document, 1, BYTES_MAX - 1, file);
    (void)fclose(file);
    return bytes == 0 || bytes == BYTES_MAX - 1;
}

static int
unload(void **state)
{
    (void)state;
    free(document);
    return 0;
}

static void
check_section(const char *section)
{
    char marker[64];
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    const char *start;

    assert_non_null(out);
    assert_true(document_write(out, section));
    assert_int_equal(fclose(out), 0);
    (void)snprintf(marker, sizeof marker, "\n<!-- generated: %s -->\n", section);
    start = strstr(document, marker);
    if (start == NULL) {
        fail_msg("PROTOCOL.md has no section %s", section);
        return;
    }
    start += strlen(marker);
    if (strncmp(start, text, bytes) != 0) {
        fail_msg("PROTOCOL.md: section %s is not up to date: run make docs", section);
    }
    (void)snprintf(marker, sizeof marker, "<!-- end: %s -->\n", section);
    assert_memory_equal(start + bytes, marker, strlen(marker));
    free(text);
}

static void
test_document_is_up_to_date(void **state)
{
    (void)state;
    for (size_t i = 0; document_sections[i] != NULL; i++) {
        check_section(document_sections[i]);
    }
    assert_false(document_write(stdout, "no such section"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_is_up_to_date),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
