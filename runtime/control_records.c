/*
 * runtime/control_records.c: the records of the control topic as text: one fact a line, words separated by blanks. Unknown lines
 * are skipped, so that a later version may say more; the first line carries the version.
 */
#include "placement.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8, WORD_MAX = 300 };

struct line {
    char words[WORDS_MAX][WORD_MAX];
    size_t count;
    leat_slice_t rest; /* behind the first word, for lists */
};

static bool next_line(leat_slice_t *text, struct line *line)
{
    leat_slice_t whole, word;

    do {
        if (!leat_slice_token(text, "\n", &whole))
            return false;
        line->count = 0;
        line->rest = whole;
        leat_slice_t at = whole;
        while (line->count < WORDS_MAX && leat_slice_token(&at, " ", &word)) {
            leat_slice_copy(&word, line->words[line->count++], WORD_MAX);
            if (line->count == 1)
                line->rest = at;
        }
    } while (line->count == 0);
    return true;
}

static bool is(const struct line *line, const char *word, size_t count)
{
    return line->count >= count && strcmp(line->words[0], word) == 0;
}

static int64_t number(const char *word)
{
    return strtoll(word, NULL, 10);
}

static bool read_ref(const char *word, leat__task_ref_t *ref)
{
    char *end;
    long group = strtol(word, &end, 10);

    if (end == word || *end != '_')
        return false;
    ref->group = (int32_t)group;
    ref->partition = (int32_t)strtol(end + 1, &end, 10);
    return *end == '\0';
}

static void put_refs(leat__buf_t *out, const char *word, const leat__task_ref_t *refs, size_t count)
{
    leat__buf_put_text(out, word);
    for (size_t i = 0; i < count; i++)
        leat__buf_format(out, " %" PRId32 "_%" PRId32, refs[i].group, refs[i].partition);
    leat__buf_put_text(out, "\n");
}

static void take_refs(leat_slice_t rest, leat__task_ref_t **refs, size_t *count)
{
    leat_slice_t word;
    size_t room = *count;
    char text[40];
    leat__task_ref_t ref;

    while (leat_slice_token(&rest, " ", &word)) {
        leat_slice_copy(&word, text, sizeof text);
        if (!read_ref(text, &ref))
            continue;
        LEAT__GROW(*refs, *count, room);
        (*refs)[(*count)++] = ref;
    }
}

int leat__task_ref_compare(const void *a, const void *b)
{
    const leat__task_ref_t *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

/* ---- claim ---- */

void leat__claim_encode(const leat__claim_t *c, leat__buf_t *out)
{
    leat__buf_format(
        out, "leat-claim 1\ngeneration %" PRId32 "\nmember %s\n", c->generation, c->member_id);
}

bool leat__claim_decode(leat_slice_t text, leat__claim_t *c)
{
    struct line line;

    memset(c, 0, sizeof *c);
    if (!next_line(&text, &line) || !is(&line, "leat-claim", 2) || number(line.words[1]) != 1)
        return false;
    while (next_line(&text, &line)) {
        if (is(&line, "generation", 2))
            c->generation = (int32_t)number(line.words[1]);
        else if (is(&line, "member", 2) && c->member_id == NULL)
            c->member_id = leat__must_strdup(line.words[1]);
    }
    return c->member_id != NULL;
}

void leat__claim_release(leat__claim_t *c)
{
    leat__free(c->member_id);
    memset(c, 0, sizeof *c);
}

/* ---- placement ---- */

void leat__placement_encode(const leat__placement_t *p, leat__buf_t *out)
{
    leat__buf_format(out,
        "leat-placement 1\ngeneration %" PRId32 "\nrevision %" PRId64 "\nleader %s\n",
        p->generation, p->revision, p->leader);
    for (size_t i = 0; i < p->member_count; i++)
        leat__buf_format(out, "member %s %s %d\n", p->members[i].member_id,
            p->members[i].process_id, p->members[i].threads);
    for (size_t i = 0; i < p->task_count; i++)
        leat__buf_format(out, "task %" PRId32 "_%" PRId32 " %d%s\n", p->tasks[i].ref.group,
            p->tasks[i].ref.partition, p->tasks[i].owner, p->tasks[i].release ? " release" : "");
}

bool leat__placement_decode(leat_slice_t text, leat__placement_t *p)
{
    struct line line;
    size_t member_room = 0, task_room = 0;

    memset(p, 0, sizeof *p);
    if (!next_line(&text, &line) || !is(&line, "leat-placement", 2) || number(line.words[1]) != 1)
        return false;
    while (next_line(&text, &line)) {
        if (is(&line, "generation", 2)) {
            p->generation = (int32_t)number(line.words[1]);
        } else if (is(&line, "revision", 2)) {
            p->revision = number(line.words[1]);
        } else if (is(&line, "leader", 2) && p->leader == NULL) {
            p->leader = leat__must_strdup(line.words[1]);
        } else if (is(&line, "member", 4)) {
            LEAT__GROW(p->members, p->member_count, member_room);
            leat__placed_member_t *m = &p->members[p->member_count++];
            m->member_id = leat__must_strdup(line.words[1]);
            m->process_id = leat__must_strdup(line.words[2]);
            m->threads = (int)number(line.words[3]);
        } else if (is(&line, "task", 3)) {
            LEAT__GROW(p->tasks, p->task_count, task_room);
            leat__placed_task_t *t = &p->tasks[p->task_count];
            memset(t, 0, sizeof *t);
            if (!read_ref(line.words[1], &t->ref))
                continue;
            t->owner = (int)number(line.words[2]);
            t->release = line.count > 3 && strcmp(line.words[3], "release") == 0;
            p->task_count++;
        }
    }
    for (size_t i = 0; i < p->task_count; i++)
        if (p->tasks[i].owner < 0 || p->tasks[i].owner >= (int)p->member_count)
            p->tasks[i].owner = -1;
    if (p->leader != NULL)
        return true;
    leat__placement_release(p);
    return false;
}

void leat__placement_release(leat__placement_t *p)
{
    for (size_t i = 0; i < p->member_count; i++) {
        leat__free(p->members[i].member_id);
        leat__free(p->members[i].process_id);
    }
    leat__free(p->members);
    leat__free(p->tasks);
    leat__free(p->leader);
    memset(p, 0, sizeof *p);
}

const leat__placed_task_t *leat__placement_find(const leat__placement_t *p, leat__task_ref_t ref)
{
    for (size_t low = 0, high = p->task_count; low < high;) {
        size_t middle = (low + high) / 2;
        int order = leat__task_ref_compare(&p->tasks[middle].ref, &ref);
        if (order == 0)
            return &p->tasks[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int leat__placement_member(const leat__placement_t *p, const char *member_id)
{
    for (size_t i = 0; i < p->member_count; i++)
        if (strcmp(p->members[i].member_id, member_id) == 0)
            return (int)i;
    return -1;
}

/* ---- status ---- */

static const char *const state_words[] = {"running", "leaving", "shutdown"};

void leat__status_encode(const leat__status_t *s, leat__buf_t *out)
{
    leat__buf_format(out, "leat-status 1\nmember %s\nthreads %d\nstate %s\n", s->member_id,
        s->threads, state_words[s->state]);
    put_refs(out, "held", s->held, s->held_count);
    if (s->released_revision > 0) {
        leat__buf_format(
            out, "answer %" PRId32 " %" PRId64 "\n", s->released_generation, s->released_revision);
        put_refs(out, "released", s->released, s->released_count);
    }
}

bool leat__status_decode(leat_slice_t text, const char *process_id, leat__status_t *s)
{
    struct line line;

    memset(s, 0, sizeof *s);
    if (!next_line(&text, &line) || !is(&line, "leat-status", 2) || number(line.words[1]) != 1)
        return false;
    while (next_line(&text, &line)) {
        if (is(&line, "member", 2) && s->member_id == NULL) {
            s->member_id = leat__must_strdup(line.words[1]);
        } else if (is(&line, "threads", 2)) {
            s->threads = (int)number(line.words[1]);
        } else if (is(&line, "state", 2)) {
            for (size_t i = 0; i < sizeof state_words / sizeof *state_words; i++)
                if (strcmp(line.words[1], state_words[i]) == 0)
                    s->state = (leat__process_state_t)i;
        } else if (is(&line, "held", 1)) {
            take_refs(line.rest, &s->held, &s->held_count);
        } else if (is(&line, "answer", 3)) {
            s->released_generation = (int32_t)number(line.words[1]);
            s->released_revision = number(line.words[2]);
        } else if (is(&line, "released", 1)) {
            take_refs(line.rest, &s->released, &s->released_count);
        }
    }
    s->process_id = leat__must_strdup(process_id);
    if (s->member_id != NULL)
        return true;
    leat__status_release(s);
    return false;
}

void leat__status_release(leat__status_t *s)
{
    leat__free(s->process_id);
    leat__free(s->member_id);
    leat__free(s->held);
    leat__free(s->released);
    memset(s, 0, sizeof *s);
}
