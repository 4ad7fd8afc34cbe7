/* badges: a table of employees, each with the name of his department, right after any change of
 * either. */
#include <leat/leat.h>

#include <string.h>

struct employee {
    char name[32];
    int32_t department;
};
struct department {
    char name[32];
};
struct badge {
    char name[32], department[32];
};

static const leat_field_t employee_fields[] = {LEAT_FIELD(struct employee, name, CHARS),
    LEAT_FIELD(struct employee, department, INT32), LEAT_FIELDS_END};
static const leat_field_t department_fields[] = {
    LEAT_FIELD(struct department, name, CHARS), LEAT_FIELDS_END};
static const leat_field_t badge_fields[] = {LEAT_FIELD(struct badge, name, CHARS),
    LEAT_FIELD(struct badge, department, CHARS), LEAT_FIELDS_END};
static const leat_serde_t employee_serde =
    LEAT_SERDE_JSON("employee", struct employee, employee_fields);
static const leat_serde_t department_serde =
    LEAT_SERDE_JSON("department", struct department, department_fields);
static const leat_serde_t badge_serde = LEAT_SERDE_JSON("badge", struct badge, badge_fields);

static void department_of(leat_ctx_t *ctx, const leat_record_t *in)
{
    const struct employee *employee = in->value;

    leat_emit_key(ctx, &employee->department);
}

static void make_badge(leat_ctx_t *ctx, const void *left, const void *right)
{
    const struct employee *employee = left;
    const struct department *department = right;
    struct badge badge = {0};

    memcpy(badge.name, employee->name, sizeof badge.name);
    memcpy(badge.department, department->name, sizeof badge.department);
    leat_emit_value(ctx, &badge);
}

static void build_badges(leat_builder_t *b)
{
    leat_table_t *employees =
        leat_builder_table(b, "employees", leat_serde_int64(), &employee_serde, NULL);
    leat_table_t *departments =
        leat_builder_table(b, "departments", leat_serde_int32(), &department_serde, NULL);
    leat_table_t *badges = leat_table_join_foreign(
        employees, departments, "badges", department_of, make_badge, &badge_serde, NULL);
    leat_table_to(badges, "badges", NULL);
}

int main(int argc, char **argv)
{
    return leat_main(argc, argv, "badges", build_badges, NULL);
}
