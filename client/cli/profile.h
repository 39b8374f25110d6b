/*
 * profile.h - what the commands over a contractor's profile share: hours, caps, dest, filters and
 * automatic top-up.
 *
 * Each of them shows its record when nothing is to be changed. A change reads the record, changes
 * what was given and puts it back against the version read. A list that is given replaces the one
 * that was there, is added to it with --add, and empties it when it is the word none.
 */
#ifndef ZR_CLI_PROFILE_H
#define ZR_CLI_PROFILE_H

#include "client/cli/cli.h"

#define PROFILE_CONTRACTOR                                                  \
    {                                                                       \
        "contractor", "contractor", "CONTRACTOR", "Its number or its UUID", \
            PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL                   \
    }
#define PROFILE_VERSION                                                                           \
    {                                                                                             \
        "expected-version", "expected_version", "N", "Instead of the version just read", 0, NULL, \
            NULL                                                                                  \
    }
#define PROFILE_END                           \
    {                                         \
        NULL, NULL, NULL, NULL, 0, NULL, NULL \
    }

/* True when the command line names the contractor and nothing else of the command's own. */
bool profile_is_shown(const struct cli *cli);

/* Print what `op` (a read that names a contractor) says of the command's contractor. */
enum cli_exit profile_show(struct cli *cli, uint16_t op);

/* The same into *reply, as the base of a change. CLI_DONE or reported. */
enum cli_exit profile_read(struct cli *cli, uint16_t op, void *reply);

/* The next item of a comma-separated list, moving *list behind it; false at its end (NULL). */
bool profile_take_item(char *item, size_t item_bytes, const char **list);

/* The option's list, or NULL when it is the word none. The option must have been given. */
const char *profile_list(const struct cli *cli, const char *option);

#endif
