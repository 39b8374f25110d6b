/*
 * vectors.c - print protocol/vectors/messages.json, or write its frames as fuzz seeds.
 *
 *   vectors            the file, on stdout
 *   vectors DIR        every frame as DIR/<op>-<direction>, older ones as DIR/<op>-v<n>-<direction>
 */
#include "tests/lib/vector.h"

#include <stdio.h>
#include <stdlib.h>

static int
write_frame(const char *folder, const struct vector *vector)
{
    static uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    static union zr_any_message message;
    struct zr_header header;
    char older[8] = "";
    char path[512];
    FILE *file;
    size_t written;

    vector_fill(&message, vector);
    header = vector_encode(frame, vector, &message);
    if (vector->version < vector->operation->version) {
        (void)snprintf(older, sizeof older, "-v%u", vector->version);
    }
    (void)snprintf(path, sizeof path, "%s/%s%s-%s", folder, vector->operation->name, older,
                   vector_direction_name(vector->direction));
    file = fopen(path, "we");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    written = fwrite(frame, 1, header.size, file);
    return fclose(file) != 0 || written != header.size;
}

static int
write_all(const char *folder)
{
    struct vector vector;
    int failed = 0;

    for (size_t i = 0; failed == 0 && vector_at(&vector, i); i++) {
        failed = write_frame(folder, &vector);
    }
    return failed;
}

int
main(int argc, char **argv)
{
    char *text;

    if (argc == 2) {
        return write_all(argv[1]);
    }
    text = vectors_text();
    (void)puts(text);
    free(text);
    return 0;
}
