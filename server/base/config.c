/*
 * config.c - see config.h. The file format is read by inih.
 */
#include "server/base/config.h"

#include "protocol/check.h"

#include <ini.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_TEXT, KIND_NUMBER, KIND_SWITCH };

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    uint64_t min;
    uint64_t max;
    const char *doc;
};

static const struct setting settings[] = {
#define TEXT(name, standard, doc) {#name, KIND_TEXT, offsetof(struct config, name), 0, 0, (doc)},
#define NUMBER(name, standard, min, max, doc) \
    {#name, KIND_NUMBER, offsetof(struct config, name), (min), (max), (doc)},
#define SWITCH(name, standard, doc) \
    {#name, KIND_SWITCH, offsetof(struct config, name), 0, 0, (doc)},
#include "server/base/config.def"
#undef TEXT
#undef NUMBER
#undef SWITCH
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

void
config_init(struct config *config)
{
    *config = (struct config){
#define TEXT(name, standard, doc)             .name = "" standard,
#define NUMBER(name, standard, min, max, doc) .name = (standard),
#define SWITCH(name, standard, doc)           .name = (standard),
#include "server/base/config.def"
#undef TEXT
#undef NUMBER
#undef SWITCH
    };
}

/* Letters that two words have in common at the same place, from either end. */
static size_t
likeness(const char *left, const char *right)
{
    const size_t left_length = strlen(left);
    const size_t right_length = strlen(right);
    size_t alike = 0;

    for (size_t i = 0; i < left_length && i < right_length; i++) {
        alike += left[i] == right[i];
        alike += left[left_length - 1 - i] == right[right_length - 1 - i];
    }
    return alike;
}

static const struct setting *
setting_find(const char *name, const char **nearest)
{
    size_t best = 0;

    *nearest = settings[0].name;
    for (size_t i = 0; i < SETTINGS; i++) {
        const size_t alike = likeness(name, settings[i].name);

        if (strcmp(name, settings[i].name) == 0) {
            return &settings[i];
        }
        if (alike > best) {
            best = alike;
            *nearest = settings[i].name;
        }
    }
    return NULL;
}

static enum status
set_number(struct config *config, const struct setting *setting, const char *value)
{
    char *end = NULL;
    const unsigned long long number = strtoull(value, &end, 10);
    uint8_t *field = (uint8_t *)config + setting->offset;
    uint64_t checked = number;

    if (value[0] < '0' || value[0] > '9' || *end != '\0' || number < setting->min ||
        number > setting->max) {
        (void)snprintf(config->error, sizeof config->error,
                       "%s=%.40s: want a whole number from %llu to %llu", setting->name, value,
                       (unsigned long long)setting->min, (unsigned long long)setting->max);
        return STATUS_INVALID;
    }
    memcpy(field, &checked, sizeof checked);
    return STATUS_OK;
}

static enum status
set_switch(struct config *config, const struct setting *setting, const char *value)
{
    bool *field = (bool *)((uint8_t *)config + setting->offset);

    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        (void)snprintf(config->error, sizeof config->error, "%s=%.40s: want yes or no",
                       setting->name, value);
        return STATUS_INVALID;
    }
    *field = strcmp(value, "yes") == 0;
    return STATUS_OK;
}

static enum status
set_text(struct config *config, const struct setting *setting, const char *value)
{
    char *field = (char *)config + setting->offset;

    if (strlen(value) >= CONFIG_TEXT_BYTES_MAX) {
        (void)snprintf(config->error, sizeof config->error, "%s: longer than %d bytes",
                       setting->name, CONFIG_TEXT_BYTES_MAX - 1);
        return STATUS_INVALID;
    }
    memcpy(field, value, strlen(value) + 1);
    return STATUS_OK;
}

enum status
config_set(struct config *config, const char *name, const char *value)
{
    const char *nearest;
    const struct setting *setting = setting_find(name, &nearest);

    CHECK(value != NULL);
    if (setting == NULL) {
        (void)snprintf(config->error, sizeof config->error,
                       "unknown setting %.60s: did you mean %s?", name, nearest);
        return STATUS_INVALID;
    }
    switch (setting->kind) {
    case KIND_TEXT:
        return set_text(config, setting, value);
    case KIND_NUMBER:
        return set_number(config, setting, value);
    case KIND_SWITCH:
        return set_switch(config, setting, value);
    }
    return STATUS_INVALID;
}

/* One file being read. inih goes on behind an error, which would mix the line of one with the
 * text of another: so the reader ends the file there. */
struct reading {
    struct config *config;
    FILE *file;
    int line;       /* Of the file, from 1. */
    int wrong_line; /* Where config->error is about; 0 = nowhere yet. */
};

/* inih's reader. It would take an indented line as more of the value before, and cut a long line
 * in two: the first is unindented here, the second refused. */
static char *
read_line(char *line, int line_bytes, void *stream)
{
    char whole[2 * CONFIG_TEXT_BYTES_MAX];
    struct reading *reading = stream;
    const char *start = whole;

    if (reading->wrong_line != 0 || fgets(whole, sizeof whole, reading->file) == NULL) {
        return NULL;
    }
    reading->line++;
    start += strspn(whole, " \t");
    if (strlen(start) >= (size_t)line_bytes) {
        (void)snprintf(reading->config->error, sizeof reading->config->error,
                       "line longer than %d bytes: give it as name=value on the command line",
                       line_bytes - 1);
        reading->wrong_line = reading->line;
        return NULL;
    }
    memcpy(line, start, strlen(start) + 1);
    return line;
}

/* inih's handler: 0 is an error in this line. */
static int
on_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;

    (void)section;
    if (config_set(reading->config, name, value) == STATUS_OK) {
        return 1;
    }
    reading->wrong_line = reading->line;
    return 0;
}

enum status
config_read(struct config *config, const char *path)
{
    struct reading reading = {.config = config, .file = fopen(path, "re")};
    char why[CONFIG_ERROR_BYTES_MAX];
    int line;

    if (reading.file == NULL) {
        (void)snprintf(config->error, sizeof config->error, "%.120s: cannot be read", path);
        return STATUS_INVALID;
    }
    config->error[0] = '\0';
    line = ini_parse_stream(read_line, &reading, on_line, &reading);
    (void)fclose(reading.file);
    if (line == 0 && reading.wrong_line == 0) {
        return STATUS_OK;
    }
    /* An error of inih's own, a line without `=`, has no text from us. */
    memcpy(why, config->error, sizeof why);
    if (line != 0 && line != reading.wrong_line) {
        (void)snprintf(why, sizeof why, "want name = value");
    } else {
        line = reading.wrong_line;
    }
    (void)snprintf(config->error, sizeof config->error, "%.80s:%d: %.120s", path, line, why);
    return STATUS_INVALID;
}

enum status
config_judge(struct config *config)
{
    const struct {
        const char *name;
        const char *value;
    } needed[] = {{"data", config->data},
                  {"cert", config->cert},
                  {"key", config->key},
                  {"ca", config->ca},
                  {"listen", config->listen}};

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (needed[i].value[0] == '\0') {
            (void)snprintf(config->error, sizeof config->error,
                           "%s is not set: give it in the file or as %s=...", needed[i].name,
                           needed[i].name);
            return STATUS_INVALID;
        }
    }
    if (strcmp(config->clock, "real") != 0 && strcmp(config->clock, "manual") != 0) {
        (void)snprintf(config->error, sizeof config->error, "clock=%.20s: want real or manual",
                       config->clock);
        return STATUS_INVALID;
    }
    if (config->batch_max > config->jobs_max) {
        (void)snprintf(config->error, sizeof config->error, "batch_max is above jobs_max");
        return STATUS_INVALID;
    }
    if (config->credit > config->credit_max) {
        (void)snprintf(config->error, sizeof config->error, "credit is above credit_max");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

void
config_print(const struct config *config, FILE *file)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        const uint8_t *field = (const uint8_t *)config + setting->offset;
        uint64_t number;

        (void)fprintf(file, "# %s\n", setting->doc);
        switch (setting->kind) {
        case KIND_TEXT:
            (void)fprintf(file, "%s = %s\n", setting->name, (const char *)field);
            break;
        case KIND_NUMBER:
            memcpy(&number, field, sizeof number);
            (void)fprintf(file, "%s = %llu\n", setting->name, (unsigned long long)number);
            break;
        case KIND_SWITCH:
            (void)fprintf(file, "%s = %s\n", setting->name, *field != 0 ? "yes" : "no");
            break;
        }
    }
}
