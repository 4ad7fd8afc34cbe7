/* check: the topology of table_join_json.c under the test driver. */
#define main enrich_main
#include "table_join_json.c"
#undef main

#include <leat/testing.h>
#include <stdio.h>
#include <string.h>

/* The next named order is this text; NULL: there is none. */
static int expect(leat_test_t *t, const char *text)
{
    const char *got = leat_test_read_text(t, "named-orders");

    if (text && got ? strcmp(got, text) == 0 : got == text)
        return 0;
    fprintf(stderr, "%s, expected %s\n", got ? got : "nothing", text ? text : "nothing");
    return 1;
}

int main(void)
{
    leat_test_t *t = leat_test_new(leat_topology_build(enrich, NULL), NULL, NULL);
    leat_error_t err;
    int failed = 0;

    leat_test_pipe_text(t, "orders", "1", "{\"customer\":\"c7\",\"cents\":100}", 1);
    failed += expect(t, "c7={\"cents\":100,\"customer\":\"c7\",\"name\":null}@1");
    leat_test_pipe_text(t, "customers", "c7", "{\"name\":\"Ann\"}", 2);
    failed += expect(t, NULL); /* a table's change alone joins nothing */
    leat_test_pipe_text(t, "orders", "2", "{\"customer\":\"c7\",\"cents\":200}", 3);
    failed += expect(t, "c7={\"cents\":200,\"customer\":\"c7\",\"name\":\"Ann\"}@3");
    if (leat_test_failure(t, &err) != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", err.where, err.text);
        failed++;
    }
    leat_test_free(t);
    return failed;
}
