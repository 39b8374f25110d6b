/*
 * catalog.c - see catalog.h.
 *
 * A name that the server does not know ends as NOT_FOUND, as the server would have said it of a
 * number: scripts meet one kind of refusal.
 */
#include "client/cli/catalog.h"

#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ------------------------------------------------------------------------------ */

const char *
catalog_name(const struct catalog *catalog, uint16_t number)
{
    for (size_t i = 0; i < catalog->categories_count; i++) {
        if (catalog->categories[i].number == number) {
            return catalog->categories[i].name;
        }
    }
    return NULL;
}

static bool
catalog_number(const struct catalog *catalog, const char *name, uint16_t *number)
{
    for (size_t i = 0; i < catalog->categories_count; i++) {
        if (strcmp(catalog->categories[i].name, name) == 0) {
            *number = catalog->categories[i].number;
            return true;
        }
    }
    return false;
}

void
catalog_learn(struct catalog *catalog, uint16_t number, const char *name)
{
    struct catalog_category *grown;

    if (catalog_name(catalog, number) != NULL) {
        return;
    }
    grown = reallocarray(catalog->categories, catalog->categories_count + 1, sizeof *grown);
    if (grown == NULL) {
        return; /* It is printed as its number then. */
    }
    catalog->categories = grown;
    grown += catalog->categories_count++;
    grown->number = number;
    (void)snprintf(grown->name, sizeof grown->name, "%s", name);
}

void
catalog_learn_page(struct catalog *catalog, const struct zr_category_list_reply *page)
{
    for (uint16_t i = 0; i < page->categories_count; i++) {
        catalog_learn(catalog, page->categories[i].category, page->categories[i].name);
    }
}

/* ---- asking the server ------------------------------------------------------------------- */

/* What is done with each row of the list; false ends the reading. */
typedef bool (*row_fn)(void *context, const struct zr_category_row *row);

static bool
page_take(const struct zr_category_list_reply *page, row_fn each, void *context)
{
    for (uint16_t i = 0; i < page->categories_count; i++) {
        if (!each(context, &page->categories[i])) {
            return false;
        }
    }
    return true;
}

/* Read CATEGORY_LIST page after page. answer->result is 0, or what ended it. */
static void
categories_read(struct cli *cli, struct answer *answer, row_fn each, void *context)
{
    struct zr_category_list_request request = {0};
    struct zr_category_list_reply reply = {0};

    *answer =
        (struct answer){.operation = zr_operation_find(ZR_OP_CATEGORY_LIST), .request = &request};
    do {
        request.after = reply.next;
        session_call(cli, answer, &reply);
    } while (answer->result == 0 && page_take(&reply, each, context) && reply.next != 0);
    /* Both end with this function. */
    answer->request = NULL;
    answer->reply = NULL;
}

static bool
learn_each(void *context, const struct zr_category_row *row)
{
    catalog_learn(context, row->category, row->name);
    return true;
}

void
catalog_load(struct cli *cli)
{
    struct answer answer;

    if (!cli->catalog.loaded) {
        cli->catalog.loaded = true;
        categories_read(cli, &answer, learn_each, &cli->catalog);
    }
}

/* Say NOT_FOUND as the server says it, with the name that nobody knows. */
static enum cli_exit
not_found(struct cli *cli, const char *what, const char *text)
{
    const struct answer answer = {.operation = cli->operation, .result = ZR_STATUS_NOT_FOUND};

    cli_note(cli, "no %s \"%s\" here", what, text);
    return execute_finish(cli, &answer);
}

static enum cli_exit
category_stand_in(struct cli *cli, const char *name, uint16_t *number)
{
    if (!catalog_number(&cli->catalog, name, number)) {
        *number = (uint16_t)(UINT16_MAX - cli->catalog.categories_count);
        catalog_learn(&cli->catalog, *number, name);
    }
    return CLI_DONE;
}

enum cli_exit
catalog_category(struct cli *cli, const char *text, uint16_t *number)
{
    struct answer answer;
    uint64_t digits;

    if (text_to_unsigned(&digits, text, UINT16_MAX)) {
        *number = (uint16_t)digits;
        return CLI_DONE;
    }
    if (cli->settings.dry_run) {
        return category_stand_in(cli, text, number);
    }
    if (!cli->catalog.loaded) {
        cli->catalog.loaded = true;
        categories_read(cli, &answer, learn_each, &cli->catalog);
        if (answer.result != 0) {
            return execute_finish(cli, &answer);
        }
    }
    return catalog_number(&cli->catalog, text, number) ? CLI_DONE
                                                       : not_found(cli, "category", text);
}

enum cli_exit
catalog_contractor(struct cli *cli, const char *text, uint32_t *number)
{
    struct zr_contractor_get_request request = {0};
    struct zr_contractor_get_reply reply;
    enum cli_exit exit_code;
    uint64_t digits;

    if (text_to_unsigned(&digits, text, UINT32_MAX)) {
        *number = (uint32_t)digits;
        return CLI_DONE;
    }
    if (!text_to_id(&request.contractor_id, text)) {
        return cli_misused(cli, "contractor \"%s\": expected its number or its UUID", text);
    }
    if (cli->settings.dry_run) {
        (void)json_object_set_new(cli->extras, "contractor_id", json_string(text));
        return CLI_DONE;
    }
    exit_code = execute_read(cli, ZR_OP_CONTRACTOR_GET, &request, &reply);
    if (exit_code == CLI_DONE) {
        *number = reply.contractor;
    }
    return exit_code;
}

/* ---- one row ----------------------------------------------------------------------------- */

struct row_search {
    const char *name; /* Or NULL: by number. */
    uint16_t number;
    struct zr_category_row *found;
    bool done;
};

static bool
search_each(void *context, const struct zr_category_row *row)
{
    struct row_search *search = context;

    search->done = search->name != NULL ? strcmp(row->name, search->name) == 0
                                        : row->category == search->number;
    if (search->done) {
        *search->found = *row;
    }
    return !search->done;
}

enum cli_exit
catalog_read_row(struct cli *cli, const char *text, struct zr_category_row *row)
{
    struct row_search search = {.name = text, .found = row};
    struct answer answer;
    uint64_t digits;

    CHECK(row != NULL);
    if (text_to_unsigned(&digits, text, UINT16_MAX)) {
        search.name = NULL;
        search.number = (uint16_t)digits;
    }
    categories_read(cli, &answer, search_each, &search);
    if (answer.result != 0) {
        return execute_finish(cli, &answer);
    }
    return search.done ? CLI_DONE : not_found(cli, "category", text);
}
