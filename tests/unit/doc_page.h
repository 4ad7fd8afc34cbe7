/*
 * A page of docs/ that is made from a table of the code: a test that it says what the table says,
 * and `--write`, which writes it. A program includes this and ends with doc_page_main().
 */
#ifndef LEAT__TESTS_DOC_PAGE_H
#define LEAT__TESTS_DOC_PAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/log.h"

typedef struct doc_page_t {
    const char *name;    /* "docs/METRICS.md" */
    const char *program; /* that writes it */
    void (*make)(leat__buf_t *page);
} doc_page_t;

/* In the source tree that this header stands in. */
static const char *doc_page_path(const doc_page_t *page)
{
    static const char own[] = "tests/unit/doc_page.h";
    static char path[4096];
    const char *file = __FILE__;
    size_t root = strlen(file) - strlen(own);

    LEAT_ASSERT(strcmp(file + root, own) == 0);
    snprintf(path, sizeof path, "%.*s%s", (int)root, file, page->name);
    return path;
}

static void test_page_is_what_the_table_says(void **state)
{
    const doc_page_t *page = *state;
    leat__buf_t wanted = {0}, found = {0};
    FILE *file = fopen(doc_page_path(page), "rb");
    char piece[4096];
    size_t got;

    if (!file)
        fail_msg("%s cannot be read", doc_page_path(page));
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        leat__buf_put(&found, piece, got);
    fclose(file);
    page->make(&wanted);
    if (strcmp(leat__buf_text(&wanted), leat__buf_text(&found)) != 0)
        fail_msg("%s is stale: run %s --write", doc_page_path(page), page->program);
    leat__buf_release(&wanted);
    leat__buf_release(&found);
}

static int write_page(const doc_page_t *page)
{
    leat__buf_t text = {0};
    FILE *file = fopen(doc_page_path(page), "wb");
    bool written;

    if (!file) {
        perror(doc_page_path(page));
        return EXIT_FAILURE;
    }
    page->make(&text);
    written = fwrite(text.data, 1, text.size, file) == text.size;
    written = fclose(file) == 0 && written;
    leat__buf_release(&text);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int doc_page_main(int argc, char **argv, doc_page_t *page)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_page_is_what_the_table_says, page)};

    if (argc == 2 && strcmp(argv[1], "--write") == 0)
        return write_page(page);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
