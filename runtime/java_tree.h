/*
 * runtime/java_tree.h: a java.util.TreeSet whose elements change their order after they were added.
 */
#ifndef LEAT__RUNTIME_JAVA_TREE_H
#define LEAT__RUNTIME_JAVA_TREE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct leat__tree_entry_t {
    void *item;
    struct leat__tree_entry_t *left, *right, *parent;
    bool black;
} leat__tree_entry_t;

typedef struct leat__tree_t {
    leat__tree_entry_t *root;
    size_t count;
} leat__tree_t;

/**
 * entry: zeroed memory that lives as long as the tree, used if the item is new. False: an equal one
 * was found.
 */
bool leat__tree_add(leat__tree_t *tree, leat__tree_entry_t *entry, void *item,
    int (*compare)(const void *a, const void *b));
/** In order; entry NULL: the first. */
leat__tree_entry_t *leat__tree_next(const leat__tree_t *tree, const leat__tree_entry_t *entry);

#endif
