/*
 * Goal: docs/openapi.json describes the paths that the server has, and no others. Method: compare the
 * table of routes with the paths of the file as it is embedded, both ways; and every "$ref" leads
 * somewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "runtime/query/embedded_files.h"
#include "runtime/query/routes.h"

static json_t *doc;

static int load(void **state)
{
    json_error_t err;

    (void)state;
    doc = json_loadb((const char *)leat__file_openapi_json, leat__file_openapi_json_size, 0, &err);
    if (!doc)
        print_error("docs/openapi.json, line %d: %s\n", err.line, err.text);
    return doc ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(doc);
    return 0;
}

static const json_t *described(const char *path, const char *method)
{
    char lower[8] = "";

    for (size_t i = 0; method[i] && i < sizeof lower - 1; i++)
        lower[i] = (char)(method[i] | 0x20);
    return json_object_get(json_object_get(json_object_get(doc, "paths"), path), lower);
}

static void test_every_route_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < leat__route_count; i++) {
        const leat__route_t *r = &leat__routes[i];
        const json_t *op = described(r->path, r->method);

        if (!op)
            fail_msg("%s %s is not in docs/openapi.json", r->method, r->path);
        /* what needs no token says so */
        assert_int_equal(r->open, json_is_array(json_object_get(op, "security")));
    }
}

static void test_every_described_path_is_a_route(void **state)
{
    const char *path, *method;
    json_t *methods, *op;
    size_t count = 0;

    (void)state;
    json_object_foreach(json_object_get(doc, "paths"), path, methods)
        json_object_foreach(methods, method, op) count++;
    assert_int_equal(count, leat__route_count);
}

static void check_refs(const json_t *json)
{
    const char *name, *ref = json_string_value(json_object_get(json, "$ref"));
    json_t *member;
    size_t i;

    if (ref) {
        const json_t *at = doc;
        char text[120], *rest = text, *part;

        snprintf(text, sizeof text, "%s", ref);
        assert_string_equal(strsep(&rest, "/"), "#");
        while ((part = strsep(&rest, "/")))
            at = json_object_get(at, part);
        if (!at)
            fail_msg("%s leads nowhere", ref);
    }
    json_object_foreach((json_t *)(uintptr_t)json, name, member) check_refs(member);
    json_array_foreach(json, i, member) check_refs(member);
}

static void test_every_reference_leads_somewhere(void **state)
{
    (void)state;
    check_refs(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_is_described),
        cmocka_unit_test(test_every_described_path_is_a_route),
        cmocka_unit_test(test_every_reference_leads_somewhere),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
