/*
 * runtime/java_tree.c: a red-black tree that takes new elements exactly where java.util.TreeMap
 * takes them.
 *
 * Kafka's description keeps the neighbours of a node in a TreeSet that is ordered by a number which
 * still grows while the set is filled. So the order that describe() prints depends on the shape of
 * the tree at each insertion; to print the same text, the shape must be the same. Insertion and
 * rebalancing are the textbook's (Cormen et al.), as in Java.
 */
#include "java_tree.h"

typedef leat__tree_entry_t entry_t;

static void replace_child(leat__tree_t *tree, entry_t *old, entry_t *fresh)
{
    fresh->parent = old->parent;
    if (!old->parent)
        tree->root = fresh;
    else if (old->parent->left == old)
        old->parent->left = fresh;
    else
        old->parent->right = fresh;
    old->parent = fresh;
}

static void rotate_left(leat__tree_t *tree, entry_t *e)
{
    entry_t *up = e->right;

    e->right = up->left;
    if (up->left)
        up->left->parent = e;
    replace_child(tree, e, up);
    up->left = e;
}

static void rotate_right(leat__tree_t *tree, entry_t *e)
{
    entry_t *up = e->left;

    e->left = up->right;
    if (up->right)
        up->right->parent = e;
    replace_child(tree, e, up);
    up->right = e;
}

/* Red parent with red uncle: the trouble moves up. Returns where it is now. */
static entry_t *recolour(entry_t *e, entry_t *uncle)
{
    e->parent->black = true;
    uncle->black = true;
    e->parent->parent->black = false;
    return e->parent->parent;
}

static void rebalance(leat__tree_t *tree, entry_t *e)
{
    while (e != tree->root && !e->parent->black) {
        entry_t *above = e->parent->parent;
        bool left = e->parent == above->left;
        entry_t *uncle = left ? above->right : above->left;

        if (uncle && !uncle->black) {
            e = recolour(e, uncle);
            continue;
        }
        if (left && e == e->parent->right) {
            e = e->parent;
            rotate_left(tree, e);
        } else if (!left && e == e->parent->left) {
            e = e->parent;
            rotate_right(tree, e);
        }
        e->parent->black = true;
        e->parent->parent->black = false;
        if (left)
            rotate_right(tree, e->parent->parent);
        else
            rotate_left(tree, e->parent->parent);
    }
    tree->root->black = true;
}

bool leat__tree_add(
    leat__tree_t *tree, entry_t *entry, void *item, int (*compare)(const void *a, const void *b))
{
    entry_t **link = &tree->root, *parent = NULL;

    while (*link) {
        int order = compare(item, (*link)->item);

        if (order == 0)
            return false;
        parent = *link;
        link = order < 0 ? &parent->left : &parent->right;
    }
    entry->item = item;
    entry->parent = parent;
    *link = entry;
    tree->count++;
    rebalance(tree, entry);
    return true;
}

entry_t *leat__tree_next(const leat__tree_t *tree, const entry_t *entry)
{
    entry_t *at = entry ? entry->right : tree->root;

    if (at) {
        while (at->left)
            at = at->left;
        return at;
    }
    if (!entry)
        return NULL;
    at = entry->parent;
    while (at && at->right == entry) {
        entry = at;
        at = at->parent;
    }
    return at;
}
