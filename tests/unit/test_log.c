/*
 * test_log.c - one line is one write: whole, prefixed, bounded.
 */
#include "server/base/log.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 1024 };

static int saved_fd;
static int pipe_fds[2];

static int
setup(void **state)
{
    (void)state;
    (void)fflush(stderr);
    saved_fd = dup(STDERR_FILENO);
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    return dup2(pipe_fds[1], STDERR_FILENO) == STDERR_FILENO ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    (void)dup2(saved_fd, STDERR_FILENO);
    (void)close(saved_fd);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

/* What stands in the pipe now, as text. */
static const char *
logged(void)
{
    static char text[4 * LINE_BYTES_MAX];
    const ssize_t got = read(pipe_fds[0], text, sizeof text - 1);

    text[got < 0 ? 0 : got] = '\0';
    return text;
}

static void
test_log_line_has_priority_event_and_pairs(void **state)
{
    (void)state;
    log_line(LOG_LEVEL_WARN, "an_event", "count=%d name=\"%s\"", 7, "a b");
    assert_string_equal(logged(), "<4>event=an_event count=7 name=\"a b\"\n");
}

static void
test_log_drops_what_is_above_the_level(void **state)
{
    (void)state;
    log_line(LOG_LEVEL_DEBUG, "quiet", "x=%d", 1);
    assert_string_equal(logged(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_line(LOG_LEVEL_DEBUG, "heard", "x=%d", 1);
    assert_string_equal(logged(), "<7>event=heard x=1\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_line(LOG_LEVEL_WARN, "quiet", "x=%d", 1);
    assert_string_equal(logged(), "");
}

/* However long: at most 1 KiB, and always with its end of line. */
static void
test_log_cuts_a_long_line_and_ends_it(void **state)
{
    char value[3 * LINE_BYTES_MAX];

    (void)state;
    for (size_t length = LINE_BYTES_MAX - 40; length < sizeof value; length += 7) {
        const char *text;

        memset(value, 'v', length);
        value[length] = '\0';
        log_line(LOG_LEVEL_ERROR, "long", "value=%s", value);
        text = logged();
        assert_true(strlen(text) <= LINE_BYTES_MAX);
        assert_int_equal(text[strlen(text) - 1], '\n');
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    }
}

static void
test_log_checks_its_arguments(void **state)
{
    (void)state;
    expect_assert_failure(log_line(LOG_LEVEL_ERROR, NULL, "x=%d", 1));
    expect_assert_failure(log_set_level((enum log_level)2));
    expect_assert_failure(log_set_level((enum log_level)8));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_line_has_priority_event_and_pairs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_log_drops_what_is_above_the_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_cuts_a_long_line_and_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_checks_its_arguments, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
