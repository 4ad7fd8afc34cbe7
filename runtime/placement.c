/*
 * runtime/placement.c: the pure function behind a placement. Two passes: who has a task keeps it up to a quota; the rest goes to
 * whoever has most room, and among equals to who has fewest tasks of that sub-topology. O(tasks x members).
 */
#include "placement.h"

#include "base/mem.h"

#include <string.h>

struct share {
    size_t quota, count;
};

/* Largest-remainder shares: floor(tasks x threads / all), and one more for those who already hold most, so that a balanced
 * placement stays as it is. */
static void set_quotas(struct share *shares, const int *threads, size_t member_count,
    size_t task_count, const size_t *held)
{
    size_t all = 0, given = 0;

    for (size_t m = 0; m < member_count; m++)
        all += (size_t)threads[m];
    if (all == 0)
        return;
    for (size_t m = 0; m < member_count; m++) {
        shares[m].quota = task_count * (size_t)threads[m] / all;
        given += shares[m].quota;
    }
    while (given < task_count) {
        size_t best = member_count;
        for (size_t m = 0; m < member_count; m++) {
            /* at most one above the exact share */
            if (threads[m] == 0 || shares[m].quota * all > task_count * (size_t)threads[m])
                continue;
            if (best == member_count || held[m] + shares[best].quota > held[best] + shares[m].quota)
                best = m;
        }
        if (best == member_count)
            break; /* cannot be: the remainders sum up to what is missing */
        shares[best].quota++;
        given++;
    }
}

static size_t roomiest(
    const struct share *shares, const int *threads, size_t member_count, const size_t *of_group)
{
    size_t best = member_count;

    for (size_t m = 0; m < member_count; m++) {
        if (threads[m] == 0 || shares[m].count >= shares[m].quota)
            continue;
        if (best == member_count || of_group[m] < of_group[best] ||
            (of_group[m] == of_group[best] &&
                shares[m].quota - shares[m].count > shares[best].quota - shares[best].count))
            best = m;
    }
    return best;
}

void leat__place(const int *threads, size_t member_count, const leat__task_ref_t *refs,
    size_t task_count, const int *current, int *target)
{
    struct share *shares = leat__must_alloc((member_count + 1) * sizeof *shares);
    size_t *counts = leat__must_alloc((member_count + 1) * sizeof *counts);

    for (size_t t = 0; t < task_count; t++) {
        target[t] = -1;
        if (current[t] >= 0)
            counts[current[t]]++;
    }
    set_quotas(shares, threads, member_count, task_count, counts);
    for (size_t t = 0; t < task_count; t++)
        if (current[t] >= 0 && shares[current[t]].count < shares[current[t]].quota) {
            target[t] = current[t];
            shares[current[t]].count++;
        }
    for (size_t start = 0, t; start < task_count; start = t) {
        memset(counts, 0, member_count * sizeof *counts);
        for (t = start; t < task_count && refs[t].group == refs[start].group; t++)
            if (target[t] >= 0)
                counts[target[t]]++;
        for (size_t u = start; u < t; u++) {
            if (target[u] >= 0)
                continue;
            size_t m = roomiest(shares, threads, member_count, counts);
            if (m == member_count)
                continue;
            target[u] = (int)m;
            shares[m].count++;
            counts[m]++;
        }
    }
    leat__free(counts);
    leat__free(shares);
}
