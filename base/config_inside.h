/* base/config_inside.h: what the files of the configuration share. For base and its tests alone. */
#ifndef LEAT__BASE_CONFIG_INSIDE_H
#define LEAT__BASE_CONFIG_INSIDE_H

#include "config.h"
#include "map.h"

typedef enum leat__property_kind_t {
    LEAT__P_INT, /* min..max */
    LEAT__P_BOOL,
    LEAT__P_TEXT,
    LEAT__P_NAME,    /* min..max characters of [A-Za-z0-9._-] */
    LEAT__P_ADDRESS, /* HOST:PORT, https://HOST:PORT or nothing */
    LEAT__P_LISTEN,  /* PORT, HOST:PORT or nothing; port 0 too */
    LEAT__P_CHOICE,  /* one of choices */
    LEAT__P_CHOICES, /* the first of choices, or several of the others with commas between */
    LEAT__P_ALIAS,   /* an older name of the property `initial` */
    LEAT__P_REFUSED, /* known from Kafka Streams, an error here; sentence: what to use instead */
    LEAT__P_IGNORED  /* known from Kafka Streams, a warning here; sentence: why it does no harm */
} leat__property_kind_t;

typedef enum leat__importance_t { LEAT__LOW, LEAT__MEDIUM, LEAT__HIGH } leat__importance_t;

typedef struct leat__property_t {
    const char *name;
    leat__property_kind_t kind;
    leat__importance_t importance;
    int64_t min, max;
    const char *initial;              /* the default; NULL: "" */
    const char *initial_exactly_once; /* another one under exactly_once_v2 */
    const char *initial_shown;        /* for the manual, where the default is computed */
    const char *choices;              /* "fail, continue" */
    const char *client;               /* librdkafka's name: passed on if set */
    const char *sentence;
    const char *no_effect; /* why another value than the default changes nothing; warned of */
    bool secret;           /* its value never stands in an error */
} leat__property_t;

typedef struct leat__property_prefix_t {
    const char *prefix;
    bool client; /* passed on to librdkafka whole, prefix included */
    const char *sentence;
} leat__property_prefix_t;

struct leat_config_t {
    leat__map_t values; /* name -> text on the heap, checked */
    leat_error_t error; /* the first */
};

/* ---- config_table.c ---- */

const leat__property_t *leat__property_at(size_t index);               /* NULL: behind the last */
const leat__property_prefix_t *leat__property_prefix_at(size_t index); /* likewise */
const leat__property_t *leat__property_find(const char *name);
const leat__property_prefix_t *leat__property_prefix_of(
    const char *name);                                /* with a rest behind it */
const char *leat__property_nearest(const char *name); /* NULL: nothing is near */
const char *leat__property_initial(const leat__property_t *p, bool exactly_once); /* never NULL */

/* ---- config_value.c ---- */

/** raw with its ${env:} and ${file:} replaced; [own]; NULL after an error. */
char *leat__config_resolve(const char *raw, const char *where, leat_error_t *err);
/** May cut blanks around value, in place. raw is what errors show. */
int leat__property_check(
    const leat__property_t *p, char *value, const char *raw, const char *where, leat_error_t *err);

/* ---- config.c ---- */

void leat__config_set_at(leat_config_t *c, const char *where, const char *key, const char *raw);
void leat__config_fail(leat_config_t *c, const leat_error_t *err);

#endif
