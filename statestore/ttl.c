/*
 * statestore/ttl.c: rows that are over leave the table of a store in memory. Over a backend they
 * leave with the checkpoint (leat__beneath_sweep), and the table by eviction.
 */
#include "statestore/ttl.h"

void leat__ttl_forget(leat__store_t *s, size_t committed)
{
    int64_t alive_ms = leat__ttl_alive_committed(s);
    if (!s->ttl_ms || !s->resident || !s->slots)
        return;
    for (size_t left = 2 * leat__ttl_rows(committed); left > 0; left--) {
        uint64_t slot = s->slots[s->hand];
        leat__entry_t *e = leat__slot_entry(slot);
        if (slot && !(e->flags & (LEAT__PENDING | LEAT__QUEUED)) &&
            leat__entry_view(e).time_ms < alive_ms)
            leat__entry_remove(s, e); /* another entry may have moved here: look again */
        else
            s->hand = (s->hand + 1) & s->mask;
    }
}
