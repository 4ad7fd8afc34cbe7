/*
 * runtime/plan.h: the inside of a plan, shared by the files that fill it (topology.c), finish it
 * (finish.c), count its partitions (resolve.c) and describe it (describe.c, describe_formats.c).
 *
 * Everything of a plan lives in blocks that die with it: nothing is freed one by one. Filling is
 * sticky: after the first error each call does nothing.
 */
#ifndef LEAT__RUNTIME_PLAN_H
#define LEAT__RUNTIME_PLAN_H

#include <regex.h>
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "topology.h"

typedef struct leat__pattern_t { /* of a source node */
    leat__node_t *node;
    regex_t regex;
    struct leat__pattern_t *next;
} leat__pattern_t;

typedef struct leat__connection_t {
    const char *processor, *store;
} leat__connection_t;

typedef struct leat__copartition_t {
    const char **names;     /* of source nodes, which may be added after this was asked for */
    leat__node_t **sources; /* by finish */
    size_t count;
} leat__copartition_t;

typedef struct leat__generated_t {
    const char *what, *name;
} leat__generated_t;

struct leat__plan_private_t {
    struct leat__block_t *blocks;
    leat__map_t node_of;   /* name → leat__node_t */
    leat__map_t store_of;  /* name → leat__store_spec_t */
    leat__map_t source_of; /* topic as written → leat__node_t that reads it */
    leat__map_t
        repartition_of; /* name without application id → leat__internal_topic_t being made */
    leat__map_t later;  /* names of nodes still to be added: for the text of an unknown parent */
    leat__pattern_t *patterns, **last_pattern;
    size_t *root; /* union-find over nodes */
    leat__connection_t *connections;
    size_t connection_count;
    leat__copartition_t *copartitions;
    size_t copartition_count;
    leat__generated_t *generated;
    size_t generated_count;
    const leat_config_t *config; /* during compiling only */
    leat_error_t expand_error;   /* of the last expand */
    bool ordered;      /* replaying the Processor API: connect wants both to be there already */
    bool topics_stale; /* patterns were expanded: the groups' topics are to be made anew */
};

leat__plan_t *leat__plan_new(const leat_config_t *config);
/** Connections, sub-topologies, internal topics, and the rules that need all of it. */
void leat__plan_finish(leat__plan_t *p);
/** The topics of each group's sources. */
void leat__plan_group_topics(leat__plan_t *p);
void leat__plan_internal_topics(leat__plan_t *p);

char *leat__plan_strdup(leat__plan_t *p, const char *text);
/** [own: leat__free] The description; NULL: no memory. */
char *leat__plan_text(const leat__plan_t *p, leat_format_t format);
char *leat__plan_join(leat__plan_t *p, const char *a, const char *b, const char *c);
/** Room for one more element; doubles by copying, arrays die with the plan. NULL: no memory. */
void *leat__plan_grow(leat__plan_t *p, void *array, size_t count, size_t size);

size_t leat__plan_root(leat__plan_t *p, size_t node);
void leat__plan_unite(leat__plan_t *p, size_t a, size_t b);

/**
 * The next name of "a,b" from *at on: *size bytes. False: none left. Blanks around names are left
 * out.
 */
bool leat__list_next(const char **at, const char **name, size_t *size);

/** 0, or a text in err. The whole name must match. */
int leat__pattern_compile(regex_t *regex, const char *pattern, leat_error_t *err);
bool leat__pattern_matches(const regex_t *regex, const char *topic);

#define LEAT__PLAN_PUSH(plan, array, count, element)                                               \
    do {                                                                                           \
        void *grown_ = leat__plan_grow((plan), (array), (count), sizeof *(array));                 \
        if (grown_) {                                                                              \
            (array) = grown_;                                                                      \
            (array)[(count)++] = (element);                                                        \
        }                                                                                          \
    } while (0)

#endif
