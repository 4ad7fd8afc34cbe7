/*
 * runtime/control_records.c: the records of the control topic as text: one fact a line, words separated by blanks. Unknown lines
 * are skipped, so that a later version may say more; the first line carries the version.
 */
#include "placement.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8, WORD_MAX = 300, RESTART_MAX_MS = 86400000 };

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
    if (*count > 0)
        qsort(*refs, *count, sizeof **refs, leat__task_ref_compare);
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
    for (size_t i = 0; i < p->task_count; i++) {
        const leat__placed_task_t *t = &p->tasks[i];
        leat__buf_format(out, "task %" PRId32 "_%" PRId32 " %d%s", t->ref.group, t->ref.partition,
            t->owner, t->release ? " release" : "");
        for (size_t k = t->first_copy; k < t->first_copy + t->copy_count; k++)
            leat__buf_format(out, " %c%d", p->copies[k].warming ? '~' : '+', p->copies[k].member);
        leat__buf_put_text(out, "\n");
    }
}

/* "release", "+3": member 3 keeps a copy, "~3": until it is caught up. */
static void read_roles(
    leat_slice_t rest, leat__placement_t *p, leat__placed_task_t *t, size_t *copy_room)
{
    leat_slice_t word;
    char text[40];

    t->first_copy = p->copy_count;
    while (leat_slice_token(&rest, " ", &word)) {
        leat_slice_copy(&word, text, sizeof text);
        if (strcmp(text, "release") == 0)
            t->release = true;
        if (text[0] != '+' && text[0] != '~')
            continue;
        LEAT__GROW(p->copies, p->copy_count, *copy_room);
        p->copies[p->copy_count++] = (leat__assigned_copy_t){
            .member = (int)number(text + 1), .warming = text[0] == '~'};
        t->copy_count++;
    }
}

/* What stands in the record and is no member's number is nobody. */
static void check_members(leat__placement_t *p)
{
    for (size_t i = 0; i < p->task_count; i++)
        if (p->tasks[i].owner < 0 || p->tasks[i].owner >= (int)p->member_count)
            p->tasks[i].owner = -1;
    for (size_t i = 0; i < p->copy_count; i++)
        if (p->copies[i].member < 0 || p->copies[i].member >= (int)p->member_count)
            p->copies[i].member = -1;
}

bool leat__placement_decode(leat_slice_t text, leat__placement_t *p)
{
    struct line line;
    size_t member_room = 0, task_room = 0, copy_room = 0;

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
            read_roles(line.rest, p, t, &copy_room);
            p->task_count++;
        }
    }
    check_members(p);
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
    leat__free(p->copies);
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

static const char *const state_words[] = {"running", "leaving", "shutdown", "restarting"};

/* A word of whatever was there: blanks, ends of lines and % as %xx. */
static void put_word(leat__buf_t *out, const char *text)
{
    leat__buf_put_text(out, " ");
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || *text == '%')
            leat__buf_format(out, "%%%02x", (unsigned)(unsigned char)*text);
        else
            leat__buf_put(out, text, 1);
}

static char *take_word(const char *word)
{
    char *text = leat__must_strdup(word), *to = text;

    for (const char *at = word; *at != '\0'; at++) {
        char hex[3] = {at[0] == '%' ? at[1] : '\0', '\0', '\0'};
        if (hex[0] != '\0' && (hex[1] = at[2]) != '\0') {
            *to++ = (char)strtol(hex, NULL, 16);
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return text;
}

static void put_copies(leat__buf_t *out, const leat__status_t *s)
{
    if (s->copy_count == 0)
        return;
    leat__buf_put_text(out, "copies");
    for (size_t i = 0; i < s->copy_count; i++) {
        const leat__status_copy_t *c = &s->copies[i];
        leat__buf_format(out, " %" PRId32 "_%" PRId32, c->ref.group, c->ref.partition);
        if (c->lag == LEAT__LAG_UNKNOWN)
            leat__buf_put_text(out, ":?");
        else if (c->lag > 0)
            leat__buf_format(out, ":%" PRId64, c->lag);
    }
    leat__buf_put_text(out, "\n");
}

static void take_copies(leat_slice_t rest, leat__status_t *s)
{
    leat_slice_t word;
    size_t room = s->copy_count;
    char text[60];
    leat__status_copy_t copy;

    while (leat_slice_token(&rest, " ", &word)) {
        leat_slice_copy(&word, text, sizeof text);
        char *colon = strchr(text, ':');
        if (colon != NULL)
            *colon = '\0';
        if (!read_ref(text, &copy.ref))
            continue;
        copy.lag = colon == NULL ? 0 : colon[1] == '?' ? LEAT__LAG_UNKNOWN : number(colon + 1);
        if (copy.lag < 0 || copy.lag > LEAT__LAG_UNKNOWN)
            copy.lag = LEAT__LAG_UNKNOWN;
        LEAT__GROW(s->copies, s->copy_count, room);
        s->copies[s->copy_count++] = copy;
    }
}

static void take_state(const struct line *line, leat__status_t *s)
{
    for (size_t i = 0; i < sizeof state_words / sizeof *state_words; i++)
        if (strcmp(line->words[1], state_words[i]) == 0)
            s->state = (leat__process_state_t)i;
    s->restart_ms = line->count > 2 ? number(line->words[2]) : 0;
    if (s->restart_ms < 0 || s->restart_ms > RESTART_MAX_MS)
        s->restart_ms = 0;
}

static void take_tag(const struct line *line, leat__status_t *s)
{
    size_t room = s->tag_count;

    LEAT__GROW(s->tags, s->tag_count, room);
    s->tags[s->tag_count++] = (leat__tag_t){
        .name = take_word(line->words[1]), .value = take_word(line->words[2])};
}

void leat__status_encode(const leat__status_t *s, leat__buf_t *out)
{
    leat__buf_format(out, "leat-status 1\nmember %s\nthreads %d\nseats %d\nstate %s",
        s->member_id, s->threads, s->seats, state_words[s->state]);
    if (s->state == LEAT__PROCESS_RESTARTING)
        leat__buf_format(out, " %" PRId64, s->restart_ms);
    leat__buf_put_text(out, "\n");
    if (s->host != NULL) {
        leat__buf_put_text(out, "host");
        put_word(out, s->host);
        leat__buf_put_text(out, "\n");
    }
    for (size_t i = 0; i < s->tag_count; i++) {
        leat__buf_put_text(out, "tag");
        put_word(out, s->tags[i].name);
        put_word(out, s->tags[i].value);
        leat__buf_put_text(out, "\n");
    }
    put_refs(out, "held", s->held, s->held_count);
    put_copies(out, s);
    if (s->given_up_count > 0)
        put_refs(out, "given-up", s->given_up, s->given_up_count);
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
            s->threads = s->seats = (int)number(line.words[1]);
        } else if (is(&line, "seats", 2)) {
            s->seats = (int)number(line.words[1]);
        } else if (is(&line, "state", 2)) {
            take_state(&line, s);
        } else if (is(&line, "host", 2) && s->host == NULL) {
            s->host = take_word(line.words[1]);
        } else if (is(&line, "tag", 3)) {
            take_tag(&line, s);
        } else if (is(&line, "held", 1)) {
            take_refs(line.rest, &s->held, &s->held_count);
        } else if (is(&line, "copies", 1)) {
            take_copies(line.rest, s);
        } else if (is(&line, "given-up", 1)) {
            take_refs(line.rest, &s->given_up, &s->given_up_count);
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
    for (size_t i = 0; i < s->tag_count; i++) {
        leat__free(s->tags[i].name);
        leat__free(s->tags[i].value);
    }
    leat__free(s->tags);
    leat__free(s->process_id);
    leat__free(s->member_id);
    leat__free(s->host);
    leat__free(s->held);
    leat__free(s->copies);
    leat__free(s->given_up);
    leat__free(s->released);
    memset(s, 0, sizeof *s);
}
