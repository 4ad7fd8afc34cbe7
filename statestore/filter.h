/*
 * statestore/filter.h: which keys the backend may hold: a Bloom filter that grows, so that a key never seen costs no call beneath.
 *
 * It is complete only if it was there since the backend was empty: a store that opens on old rows has none and always asks.
 * Ten bits a key; the owner's thread alone reads and adds (at freeze and at restore).
 */
#ifndef LEAT__STATESTORE_FILTER_H
#define LEAT__STATESTORE_FILTER_H

#include <leat/base.h>

typedef struct leat__filter_t leat__filter_t;

leat__filter_t *leat__filter_new(void);
void leat__filter_free(leat__filter_t *f);
void leat__filter_add(leat__filter_t *f, leat_slice_t key);
bool leat__filter_may_hold(const leat__filter_t *f, leat_slice_t key); /* false: certainly not there */

/* ---- of a whole store: windows and versions have one filter per segment, which goes with it ---- */

typedef struct leat__filters_t leat__filters_t;

leat__filters_t *leat__filters_new(bool by_segment); /* keys are those of shape.h */
void leat__filters_free(leat__filters_t *f);
void leat__filters_add(leat__filters_t *f, leat_slice_t key);
bool leat__filters_may_hold(const leat__filters_t *f, leat_slice_t key);
/** Segments below this one are gone from the backend. */
void leat__filters_forget(leat__filters_t *f, uint64_t segment);

#endif
