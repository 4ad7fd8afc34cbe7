/* runtime/describe.h: the three forms of a description (describe.c, describe_formats.c). */
#ifndef LEAT__RUNTIME_DESCRIBE_H
#define LEAT__RUNTIME_DESCRIBE_H

#include "plan.h"
#include "text.h"

void leat__describe_java(const leat__plan_t *p, leat__text_t *out);
void leat__describe_json(const leat__plan_t *p, leat__text_t *out);
void leat__describe_dot(const leat__plan_t *p, leat__text_t *out);

#endif
