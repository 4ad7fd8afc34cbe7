/* runtime/setting.h: a topic's setting, as topology plans it and the seam creates it. */
#ifndef LEAT__RUNTIME_SETTING_H
#define LEAT__RUNTIME_SETTING_H

typedef struct leat__setting_t {
    const char *key, *value;
} leat__setting_t;

#endif
