/*
 * describe.c - print one generated section of protocol/PROTOCOL.md, or the names of all.
 */
#include "tests/lib/document.h"

int
main(int argc, char **argv)
{
    if (argc != 2) {
        for (size_t i = 0; document_sections[i] != NULL; i++) {
            (void)puts(document_sections[i]);
        }
        return 0;
    }
    return document_write(stdout, argv[1]) ? 0 : 1;
}
