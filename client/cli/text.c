/*
 * text.c - see text.h.
 */
#include "client/cli/text.h"

#include "client/cli/pki_digest.h"
#include "protocol/check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

/* ---- numbers ----------------------------------------------------------------------------- */

bool
text_to_unsigned(uint64_t *value, const char *text, uint64_t max)
{
    uint64_t number = 0;

    CHECK(value != NULL);
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        const unsigned digit = (unsigned)(unsigned char)*text - '0';

        if (digit > 9 || number > (max - digit) / 10 || digit > max) {
            return false;
        }
        number = number * 10 + digit;
    }
    *value = number;
    return true;
}

bool
text_to_signed(int64_t *value, const char *text, int64_t min, int64_t max)
{
    const bool negative = *text == '-';
    uint64_t number;
    int64_t whole;

    if (!text_to_unsigned(&number, text + (negative ? 1 : 0), INT64_MAX)) {
        return false;
    }
    whole = negative ? -(int64_t)number : (int64_t)number;
    if (whole < min || whole > max) {
        return false;
    }
    *value = whole;
    return true;
}

bool
text_to_scaled(int64_t *value, const char *text, unsigned digits)
{
    static const char decimal[] = "0123456789";
    const bool negative = *text == '-';
    const char *whole = text + (negative ? 1 : 0);
    const size_t whole_bytes = strspn(whole, decimal);
    const char *fraction = whole + whole_bytes + (whole[whole_bytes] == '.' ? 1 : 0);
    const size_t fraction_bytes = strspn(fraction, decimal);
    const size_t kept = fraction_bytes < digits ? fraction_bytes : digits;
    char number[32];
    uint64_t scaled;

    CHECK(digits <= 6);
    if (fraction[fraction_bytes] != '\0' || whole_bytes + fraction_bytes == 0 || whole_bytes > 12) {
        return false;
    }
    (void)snprintf(number, sizeof number, "0%.*s%.*s", (int)whole_bytes, whole, (int)kept,
                   fraction);
    if (!text_to_unsigned(&scaled, number, INT64_MAX)) {
        return false;
    }
    for (size_t i = kept; i < digits; i++) {
        scaled *= 10;
    }
    scaled += fraction_bytes > digits && fraction[digits] >= '5' ? 1 : 0;
    *value = negative ? -(int64_t)scaled : (int64_t)scaled;
    return true;
}

/* ---- bytes ------------------------------------------------------------------------------- */

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Take two hex digits; false when they are not. A NUL in the first keeps the second unread. */
static bool
hex_take(uint8_t *byte, const char **text)
{
    const int high = hex_digit((*text)[0]);
    const int low = high < 0 ? -1 : hex_digit((*text)[1]);

    if (low < 0) {
        return false;
    }
    *byte = (uint8_t)(high << 4 | low);
    *text += 2;
    return true;
}

/* Where the dashes of a UUID stand: before these bytes. */
static bool
id_has_dash_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool
text_to_id(struct zr_id *id, const char *text)
{
    struct zr_id parsed;

    for (size_t i = 0; i < sizeof parsed.bytes; i++) {
        if (id_has_dash_before(i) && *text++ != '-') {
            return false;
        }
        if (!hex_take(&parsed.bytes[i], &text)) {
            return false;
        }
    }
    if (*text != '\0') {
        return false;
    }
    *id = parsed;
    return true;
}

void
text_from_id(char text[TEXT_ID_BYTES], const struct zr_id *id)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof id->bytes; i++) {
        if (id_has_dash_before(i)) {
            *text++ = '-';
        }
        *text++ = digits[id->bytes[i] >> 4];
        *text++ = digits[id->bytes[i] & 15];
    }
    *text = '\0';
}

bool
text_id_is_zero(const struct zr_id *id)
{
    static const struct zr_id zero;

    return memcmp(id, &zero, sizeof zero) == 0;
}

void
text_to_call_id(struct zr_id *id, const char *text)
{
    struct zr_hash digest;

    if (text_to_id(id, text)) {
        return;
    }
    pki_sha256(&digest, text, strlen(text));
    memcpy(id->bytes, digest.bytes, sizeof id->bytes);
}

bool
text_random_id(struct zr_id *id)
{
    if (getrandom(id->bytes, sizeof id->bytes, 0) != (ssize_t)sizeof id->bytes) {
        return false;
    }
    id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0F) | 0x40);
    id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3F) | 0x80);
    return true;
}

bool
text_to_hash(struct zr_hash *hash, const char *text)
{
    struct zr_hash parsed;

    for (size_t i = 0; i < sizeof parsed.bytes; i++) {
        text += i > 0 && *text == ':' ? 1 : 0;
        if (!hex_take(&parsed.bytes[i], &text)) {
            return false;
        }
    }
    if (*text != '\0') {
        return false;
    }
    *hash = parsed;
    return true;
}

void
text_from_hash(char text[TEXT_HASH_BYTES], const struct zr_hash *hash)
{
    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", hash->bytes[i]);
    }
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
text_from_bytes(char *text, const uint8_t *bytes, size_t bytes_count)
{
    uint32_t bits = 0;
    unsigned bits_count = 0;

    CHECK(bytes_count * 4 / 3 + 2 <= TEXT_BASE64_MAX);
    for (size_t i = 0; i < bytes_count; i++) {
        bits = bits << 8 | bytes[i];
        bits_count += 8;
        while (bits_count >= 6) {
            bits_count -= 6;
            *text++ = base64_digits[bits >> bits_count & 63];
        }
    }
    if (bits_count > 0) {
        *text++ = base64_digits[bits << (6 - bits_count) & 63];
    }
    *text = '\0';
}

bool
text_to_bytes(uint8_t *bytes, uint16_t *bytes_count, uint16_t bytes_max, const char *text)
{
    uint32_t bits = 0;
    unsigned bits_count = 0;
    uint16_t count = 0;

    for (; *text != '\0'; text++) {
        const char *digit = strchr(base64_digits, *text);

        if (digit == NULL) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(digit - base64_digits);
        bits_count += 6;
        if (bits_count < 8) {
            continue;
        }
        if (count == bytes_max) {
            return false;
        }
        bits_count -= 8;
        bytes[count++] = (uint8_t)(bits >> bits_count);
    }
    /* The bits left over are the filling of the last digit: zero, and fewer than a digit's. */
    if (bits_count >= 6 || (bits & ((1u << bits_count) - 1)) != 0) {
        return false;
    }
    *bytes_count = count;
    return true;
}

/* ---- the domain's own -------------------------------------------------------------------- */

bool
text_to_zip(uint32_t *zip, const char *text)
{
    uint64_t number;

    if (strlen(text) != 5 || !text_to_unsigned(&number, text, ZR_ZIP_MAX)) {
        return false;
    }
    *zip = (uint32_t)number;
    return true;
}

bool
text_to_e164(uint64_t *number, const char *text)
{
    uint64_t digits;

    if (!text_to_unsigned(&digits, text + (*text == '+' ? 1 : 0), ZR_E164_MAX) || digits == 0) {
        return false;
    }
    *number = digits;
    return true;
}

bool
text_to_attestation(uint8_t *level, const char *text)
{
    const char letter = (char)toupper((unsigned char)text[0]);

    if (strcasecmp(text, "any") == 0 || strcasecmp(text, "unknown") == 0) {
        *level = 0;
        return true;
    }
    if (letter < 'A' || letter > 'C' || text[1] != '\0') {
        return false;
    }
    *level = (uint8_t)(letter - 'A' + 1);
    return true;
}

/* Milliseconds of the unit that `text` starts with, and its length; 0 = none. */
static uint64_t
duration_unit(const char *text, size_t *unit_bytes)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        *unit_bytes = strlen(units[i].name);
        if (strncmp(text, units[i].name, *unit_bytes) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

bool
text_to_duration(uint64_t *duration_ms, const char *text)
{
    uint64_t total = 0;

    if (*text == '\0') {
        return false;
    }
    if (strcmp(text, "0") == 0) {
        *duration_ms = 0;
        return true;
    }
    while (*text != '\0') {
        char digits[12];
        const size_t digits_count = strspn(text, "0123456789");
        size_t unit_bytes = 0;
        uint64_t number;
        uint64_t unit;

        if (digits_count == 0 || digits_count >= sizeof digits) {
            return false;
        }
        memcpy(digits, text, digits_count);
        digits[digits_count] = '\0';
        unit = duration_unit(text + digits_count, &unit_bytes);
        if (unit == 0 || !text_to_unsigned(&number, digits, UINT32_MAX)) {
            return false;
        }
        total += number * unit;
        text += digits_count + unit_bytes;
    }
    *duration_ms = total;
    return true;
}

bool
text_to_time(uint64_t *time_ms, const char *text)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"};

    if (strcmp(text, "now") == 0) {
        *time_ms = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct tm parts = {0};
        const char *end = strptime(text, formats[i], &parts);
        const time_t seconds = end != NULL ? timegm(&parts) : -1;

        if (end != NULL && *end == '\0' && seconds >= 0) {
            *time_ms = (uint64_t)seconds * 1000;
            return true;
        }
    }
    return text_to_unsigned(time_ms, text, INT64_MAX);
}

void
text_from_time(char text[TEXT_TIME_BYTES], uint64_t time_ms)
{
    const time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts = {0};
    size_t length;

    (void)gmtime_r(&seconds, &parts);
    length = strftime(text, TEXT_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + length, TEXT_TIME_BYTES - length, ".%03uZ", (unsigned)(time_ms % 1000));
}

bool
text_to_enum(uint8_t *value, const char *text, const struct zr_enum_value *values)
{
    for (; values->name != NULL; values++) {
        size_t i = 0;

        while (text[i] != '\0' &&
               (text[i] == '-' ? '_' : toupper((unsigned char)text[i])) == values->name[i]) {
            i++;
        }
        if (text[i] == '\0' && values->name[i] == '\0') {
            *value = values->number;
            return true;
        }
    }
    return false;
}

void
text_role_file(char *name, size_t name_bytes, uint8_t role)
{
    const char *upper = zr_role_name(role);
    size_t i = 0;

    CHECK(upper != NULL);
    CHECK(strlen(upper) < name_bytes);
    for (; upper[i] != '\0'; i++) {
        name[i] = (char)tolower((unsigned char)upper[i]);
    }
    name[i] = '\0';
}
