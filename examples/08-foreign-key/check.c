/* check: the topology of foreign_key.c under the test driver. */
#define main badges_main
#include "foreign_key.c"
#undef main

#include <leat/testing.h>
#include <stdio.h>

/* The next badge is this text; NULL: there is none. */
static int expect(leat_test_t *t, const char *text)
{
    const char *got = leat_test_read_text(t, "badges");

    if (text && got ? strcmp(got, text) == 0 : got == text)
        return 0;
    fprintf(stderr, "%s, expected %s\n", got ? got : "nothing", text ? text : "nothing");
    return 1;
}

int main(void)
{
    leat_test_t *t = leat_test_new(leat_topology_build(build_badges, NULL), NULL, NULL);
    leat_error_t err;
    int failed = 0;

    leat_test_pipe_text(t, "employees", "1", "{\"name\":\"Ann\",\"department\":7}", 1);
    failed += expect(t, NULL);
    leat_test_pipe_text(t, "departments", "7", "{\"name\":\"Press\"}", 2);
    failed += expect(t, "1={\"name\":\"Ann\",\"department\":\"Press\"}@2");
    leat_test_pipe_text(t, "employees", "2", "{\"name\":\"Bob\",\"department\":7}", 3);
    failed += expect(t, "2={\"name\":\"Bob\",\"department\":\"Press\"}@3");
    leat_test_pipe_text(t, "departments", "7", "{\"name\":\"News\"}", 4); /* both badges change */
    failed += expect(t, "1={\"name\":\"Ann\",\"department\":\"News\"}@4");
    failed += expect(t, "2={\"name\":\"Bob\",\"department\":\"News\"}@4");
    leat_test_pipe_text(t, "employees", "1", "{\"name\":\"Ann\",\"department\":8}", 5);
    failed += expect(t, "1=null@5"); /* a department that is not there (yet) */
    failed += expect(t, NULL);
    if (leat_test_failure(t, &err) != LEAT_OK) {
        fprintf(stderr, "%s: %s\n", err.where, err.text);
        failed++;
    }
    leat_test_free(t);
    return failed;
}
