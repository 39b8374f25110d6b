/*
 * zip_columns.c - see zip_columns.h.
 *
 * Defects that real files hold and that are no errors: no population or density (0 = unknown), a
 * county code without its leading zero, a time zone of another country's city on a US ZIP. A ZIP
 * without its leading zeros is an error: 601 may have been 00601 or a typing error of 60100.
 */
#include "client/cli/zip_columns.h"

#include "client/cli/text.h"

#include <string.h>
#include <strings.h>

static const char *
zip_parse(struct zr_zip_row *row, const char *text)
{
    return text_to_zip(&row->zip, text) ? NULL : "a ZIP has five digits, leading zeros included";
}

static const char *
text_copy(char *into, size_t bytes_max, const char *text)
{
    const size_t length = strlen(text);

    if (length > bytes_max) {
        return "longer than 32 bytes";
    }
    if (!zr_text_is_valid((const uint8_t *)text, length)) {
        return "not UTF-8, or a control character in it";
    }
    memcpy(into, text, length + 1);
    return NULL;
}

static const char *
city_parse(struct zr_zip_row *row, const char *text)
{
    return text_copy(row->city, sizeof row->city - 1, text);
}

static const char *
timezone_parse(struct zr_zip_row *row, const char *text)
{
    return text_copy(row->timezone, sizeof row->timezone - 1, text);
}

static const char *
state_parse(struct zr_zip_row *row, const char *text)
{
    const size_t length = strlen(text);

    if (length != 0 && (length != 2 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2)) {
        return "a state is two capital letters";
    }
    memcpy(row->state, text, length + 1);
    return NULL;
}

static const char *
county_fips_parse(struct zr_zip_row *row, const char *text)
{
    uint64_t code = 0;

    if (*text != '\0' && (strlen(text) > 5 || !text_to_unsigned(&code, text, 99999))) {
        return "a county code is at most five digits";
    }
    row->county_fips = (uint32_t)code;
    return NULL;
}

static const char *
degrees_parse(int32_t *degrees_e5, const char *text, int64_t limit_degrees)
{
    int64_t scaled = 0;

    if (*text != '\0' && !text_to_scaled(&scaled, text, 5)) {
        return "degrees are a decimal number";
    }
    if (scaled < -limit_degrees * 100000 || scaled > limit_degrees * 100000) {
        return limit_degrees == 90 ? "a latitude is between -90 and 90"
                                   : "a longitude is between -180 and 180";
    }
    *degrees_e5 = (int32_t)scaled;
    return NULL;
}

static const char *
latitude_parse(struct zr_zip_row *row, const char *text)
{
    return degrees_parse(&row->latitude_e5, text, 90);
}

static const char *
longitude_parse(struct zr_zip_row *row, const char *text)
{
    return degrees_parse(&row->longitude_e5, text, 180);
}

static const char *
population_parse(struct zr_zip_row *row, const char *text)
{
    uint64_t people = 0;

    if (*text != '\0' && !text_to_unsigned(&people, text, UINT32_MAX)) {
        return "a population is a whole number";
    }
    row->population = (uint32_t)people;
    return NULL;
}

static const char *
density_parse(struct zr_zip_row *row, const char *text)
{
    int64_t scaled = 0;

    if (*text != '\0' &&
        (!text_to_scaled(&scaled, text, 1) || scaled < 0 || scaled > (int64_t)UINT32_MAX)) {
        return "a density is a decimal number, not negative";
    }
    row->density_e1 = (uint32_t)scaled;
    return NULL;
}

static const char *
claimable_parse(struct zr_zip_row *row, const char *text)
{
    if (strcasecmp(text, "no") == 0 || strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        row->claimable = false;
        return NULL;
    }
    return *text == '\0' || strcasecmp(text, "yes") == 0 || strcasecmp(text, "true") == 0 ||
                   strcmp(text, "1") == 0
               ? NULL
               : "yes or no";
}

static const struct zip_column columns[] = {
    {"zip", zip_parse},
    {"city", city_parse},
    {"state", state_parse},
    {"county_fips", county_fips_parse},
    {"county", NULL}, /* Its code says it. */
    {"lat", latitude_parse},
    {"lon", longitude_parse},
    {"timezone", timezone_parse},
    {"population", population_parse},
    {"density", density_parse},
    {"claimable", claimable_parse},
};

const struct zip_column *
zip_column_find(const char *name)
{
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (strcasecmp(columns[i].name, name) == 0) {
            return &columns[i];
        }
    }
    return NULL;
}
