/*
 * test_config.c - settings: an error says where, what and what instead; and the manual page
 * names every one of them.
 */
#include "server/base/config.h"
#include "tests/lib/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 128, TEXT_BYTES = 4096, MANUAL_BYTES_MAX = 65536 };

static char folder[64];
static char path[PATH_BYTES];

static int
setup(void **state)
{
    (void)state;
    test_make_dir(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/zipringd.ini", folder);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    test_remove_dir(folder);
    return 0;
}

static void
write_file(const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Read the text as a file; the error must be PATH, then `expected`. */
static void
assert_refused(const char *text, const char *expected)
{
    char whole[CONFIG_ERROR_BYTES_MAX];
    struct config config;

    write_file(text);
    config_init(&config);
    assert_int_equal(config_read(&config, path), STATUS_INVALID);
    (void)snprintf(whole, sizeof whole, "%s%s", path, expected);
    assert_string_equal(config.error, whole);
}

static void
test_config_unknown_key_names_the_nearest(void **state)
{
    static const struct {
        const char *wrong;
        const char *nearest;
    } rows[] = {
        {"map_gb", "map_gib"}, {"connection_max", "connections_max"},
        {"lisen", "listen"},   {"cert_file", "cert"},
        {"idle_s", "idle_ms"},
    };
    struct config config;
    char expected[CONFIG_ERROR_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        config_init(&config);
        assert_int_equal(config_set(&config, rows[i].wrong, "1"), STATUS_INVALID);
        (void)snprintf(expected, sizeof expected, "unknown setting %s: did you mean %s?",
                       rows[i].wrong, rows[i].nearest);
        assert_string_equal(config.error, expected);
    }
}

static void
test_config_error_of_a_file_says_file_and_line(void **state)
{
    struct config config;

    (void)state;
    assert_refused("# comment\nlisten = x:1\ncredit = none\n",
                   ":3: credit=none: want a whole number from 1 to 4096");
    assert_refused("[server]\nbench = maybe\n", ":2: bench=maybe: want yes or no");
    assert_refused("listen = x:1\nno equals sign\n", ":2: want name = value");
    config_init(&config);
    assert_int_equal(config_read(&config, "/nowhere/zipringd.ini"), STATUS_INVALID);
    assert_string_equal(config.error, "/nowhere/zipringd.ini: cannot be read");
}

/* The line and the text are those of one error: the first. */
static void
test_config_of_several_errors_tells_the_first(void **state)
{
    (void)state;
    assert_refused("credit = none\n\nmap_gb = 7\n",
                   ":1: credit=none: want a whole number from 1 to 4096");
    assert_refused("what\ncredit = none\n", ":1: want name = value");
}

/* People indent what stands under a [section]; a line never belongs to the one before it. */
static void
test_config_takes_indented_lines(void **state)
{
    struct config config;

    (void)state;
    write_file("[server]\n  data = /var/lib/zipring\n  cert = /etc/c.pem\n\tcredit = 9\n");
    config_init(&config);
    assert_int_equal(config_read(&config, path), STATUS_OK);
    assert_string_equal(config.data, "/var/lib/zipring");
    assert_string_equal(config.cert, "/etc/c.pem");
    assert_int_equal(config.credit, 9);
}

/* inih's lines are short: a longer one is refused with its own number, never cut in two. */
static void
test_config_takes_a_long_line_whole_or_not_at_all(void **state)
{
    char text[TEXT_BYTES];
    char value[CONFIG_TEXT_BYTES_MAX + 1];
    struct config config;

    (void)state;
    for (size_t length = 150; length < CONFIG_TEXT_BYTES_MAX; length++) {
        memset(value, 'x', length);
        value[length] = '\0';
        (void)snprintf(text, sizeof text, "\ndata = %s\ncredit = 9\n", value);
        write_file(text);
        config_init(&config);
        if (config_read(&config, path) == STATUS_OK) {
            assert_string_equal(config.data, value);
            assert_int_equal(config.credit, 9);
            continue;
        }
        assert_true(length > 180);
        assert_non_null(strstr(config.error, ".ini:2: line longer than"));
        assert_int_equal(config_set(&config, "data", value), STATUS_OK);
        assert_string_equal(config.data, value);
    }
}

/* Every NUMBER of config.def, at its bounds and one beyond. */
static void
test_config_numbers_keep_their_ranges(void **state)
{
    static const struct {
        const char *name;
        uint64_t min;
        uint64_t max;
    } numbers[] = {
#define TEXT(name, standard, doc)
#define NUMBER(name, standard, min, max, doc) {#name, min, max},
#define SWITCH(name, standard, doc)
#include "server/base/config.def"
#undef TEXT
#undef NUMBER
#undef SWITCH
    };
    struct config config;
    char text[32];

    (void)state;
    config_init(&config);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)snprintf(text, sizeof text, "%" PRIu64, numbers[i].min);
        assert_int_equal(config_set(&config, numbers[i].name, text), STATUS_OK);
        (void)snprintf(text, sizeof text, "%" PRIu64, numbers[i].max);
        assert_int_equal(config_set(&config, numbers[i].name, text), STATUS_OK);
        (void)snprintf(text, sizeof text, "%" PRIu64, numbers[i].max + 1);
        assert_int_equal(config_set(&config, numbers[i].name, text), STATUS_INVALID);
        if (numbers[i].min > 0) {
            (void)snprintf(text, sizeof text, "%" PRIu64, numbers[i].min - 1);
            assert_int_equal(config_set(&config, numbers[i].name, text), STATUS_INVALID);
        }
    }
}

static void
test_config_numbers_are_digits_only(void **state)
{
    static const char *const wrong[] = {
        "", " 64", "+64", "-1", "64x", "0x40", "64 ", "6e1", "99999999999999999999999"};
    struct config config;

    (void)state;
    config_init(&config);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(config_set(&config, "credit", wrong[i]), STATUS_INVALID);
        assert_int_equal(config.credit, 64);
    }
}

/* What net takes as 32-bit milliseconds must fit there at every value that config takes. */
static void
test_config_ages_fit_their_milliseconds(void **state)
{
    struct config config;
    uint64_t hours = 0;

    (void)state;
    config_init(&config);
#define TEXT(name, standard, doc)
#define NUMBER(name, standard, min, max, doc) hours = strcmp(#name, "age_h") == 0 ? (max) : hours;
#define SWITCH(name, standard, doc)
#include "server/base/config.def"
#undef TEXT
#undef NUMBER
#undef SWITCH
    assert_true(hours > 0);
    assert_true(hours * 3600 * 1000 < UINT32_MAX);
    assert_true(config.age_h <= hours);
}

static void
test_config_print_is_read_back_the_same(void **state)
{
    struct config written;
    struct config read;
    FILE *file;

    (void)state;
    config_init(&written);
    assert_int_equal(config_set(&written, "data", "/var/lib/zip ring"), STATUS_OK);
    assert_int_equal(config_set(&written, "bench", "yes"), STATUS_OK);
    assert_int_equal(config_set(&written, "map_gib", "16384"), STATUS_OK);
    assert_int_equal(config_set(&written, "peers", "a:1,b:2"), STATUS_OK);
    file = fopen(path, "we");
    assert_non_null(file);
    config_print(&written, file);
    assert_int_equal(fclose(file), 0);
    memset(&read, 0xA5, sizeof read);
    config_init(&read);
    assert_int_equal(config_read(&read, path), STATUS_OK);
#define TEXT(name, standard, doc)             assert_string_equal(read.name, written.name);
#define NUMBER(name, standard, min, max, doc) assert_int_equal(read.name, written.name);
#define SWITCH(name, standard, doc)           assert_int_equal(read.name, written.name);
#include "server/base/config.def"
#undef TEXT
#undef NUMBER
#undef SWITCH
}

/* A later reading goes over an earlier one, and leaves alone what it does not name. */
static void
test_config_read_goes_over_what_is_set(void **state)
{
    struct config config;

    (void)state;
    config_init(&config);
    write_file("credit = 7\nlisten = a:1\n");
    assert_int_equal(config_read(&config, path), STATUS_OK);
    write_file("credit = 8\n");
    assert_int_equal(config_read(&config, path), STATUS_OK);
    assert_int_equal(config.credit, 8);
    assert_string_equal(config.listen, "a:1");
}

static void
test_config_judges_what_must_be_given_and_what_fits_together(void **state)
{
    static const char *const needed[] = {"data", "cert", "key", "ca"};
    struct config config;

    (void)state;
    config_init(&config);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        assert_int_equal(config_judge(&config), STATUS_INVALID);
        assert_memory_equal(config.error, needed[i], strlen(needed[i]));
        assert_int_equal(config_set(&config, needed[i], "x"), STATUS_OK);
    }
    assert_int_equal(config_judge(&config), STATUS_OK);
    assert_int_equal(config_set(&config, "clock", "sun"), STATUS_OK);
    assert_int_equal(config_judge(&config), STATUS_INVALID);
    assert_string_equal(config.error, "clock=sun: want real or manual");
    assert_int_equal(config_set(&config, "clock", "manual"), STATUS_OK);
    assert_int_equal(config_set(&config, "jobs_max", "16"), STATUS_OK);
    assert_int_equal(config_judge(&config), STATUS_INVALID);
    assert_string_equal(config.error, "batch_max is above jobs_max");
    assert_int_equal(config_set(&config, "batch_max", "16"), STATUS_OK);
    assert_int_equal(config_set(&config, "credit", "300"), STATUS_OK);
    assert_int_equal(config_judge(&config), STATUS_INVALID);
    assert_string_equal(config.error, "credit is above credit_max");
}

/* In bold, with its standard value, on one line: *name* ... (standard). */
static void
assert_manual_names(const char *manual, const char *name, const char *standard)
{
    char entry[PATH_BYTES];
    const char *found;
    const char *end;
    const char *value;

    (void)snprintf(entry, sizeof entry, "\n*%s* ", name);
    found = strstr(manual, entry);
    if (found == NULL) {
        fail_msg("zipringd.8.scd does not name the setting %s", name);
        return;
    }
    end = strchr(found + 1, '\n');
    value = strstr(found, standard);
    if (end == NULL || value == NULL || value > end) {
        fail_msg("zipringd.8.scd does not give the default of %s: %s", name, standard);
    }
}

static const char *
yes_no(bool value)
{
    return value ? "yes" : "no";
}

static void
test_manual_names_every_setting_and_its_default(void **state)
{
    static char manual[MANUAL_BYTES_MAX];
    FILE *file = fopen("server/zipringd.8.scd", "re");
    size_t bytes;

    (void)state;
    assert_non_null(file);
    bytes = fread(manual, 1, sizeof manual - 1, file);
    assert_true(bytes < sizeof manual - 1);
    assert_int_equal(fclose(file), 0);
#define STRING(x)                             #x
#define TEXT(name, standard, doc)             assert_manual_names(manual, #name, standard);
#define NUMBER(name, standard, min, max, doc) assert_manual_names(manual, #name, STRING(standard));
#define SWITCH(name, standard, doc)           assert_manual_names(manual, #name, yes_no(standard));
#include "server/base/config.def"
#undef TEXT
#undef NUMBER
#undef SWITCH
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_unknown_key_names_the_nearest),
        cmocka_unit_test(test_config_error_of_a_file_says_file_and_line),
        cmocka_unit_test(test_config_of_several_errors_tells_the_first),
        cmocka_unit_test(test_config_takes_indented_lines),
        cmocka_unit_test(test_config_takes_a_long_line_whole_or_not_at_all),
        cmocka_unit_test(test_config_numbers_keep_their_ranges),
        cmocka_unit_test(test_config_numbers_are_digits_only),
        cmocka_unit_test(test_config_ages_fit_their_milliseconds),
        cmocka_unit_test(test_config_print_is_read_back_the_same),
        cmocka_unit_test(test_config_read_goes_over_what_is_set),
        cmocka_unit_test(test_config_judges_what_must_be_given_and_what_fits_together),
        cmocka_unit_test(test_manual_names_every_setting_and_its_default),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
