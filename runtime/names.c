/*
 * runtime/names.c: names of nodes and topics: the legal ones, lists of them, patterns over them.
 *
 * Patterns are POSIX extended regular expressions that must match a whole name. Three notations
 * that Java programs use and POSIX does not know are translated: \d, \D, and (?: ).
 */
#include <string.h>
#include "plan.h"

enum { NAME_MAX_LENGTH = 249 };

static bool legal_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool leat__name_check(const char *name, leat_error_t *err)
{
    size_t size = strlen(name);

    if (size == 0)
        return leat__error(err, LEAT_ETOPOLOGY, 0, "", "a name must not be empty"), false;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return leat__error(err, LEAT_ETOPOLOGY, 0, name, "a name must not be '.' or '..'"), false;
    if (size > NAME_MAX_LENGTH) {
        leat__error(err, LEAT_ETOPOLOGY, 0, name,
            "a name must not be longer than %d characters, "
            "this one has %zu",
            NAME_MAX_LENGTH, size);
        return false;
    }
    for (const char *at = name; *at; at++) {
        if (legal_byte(*at))
            continue;
        leat__error(err, LEAT_ETOPOLOGY, 0, name,
            "name '%s' holds '%c': only ASCII letters, "
            "digits, '.', '_' and '-' are allowed",
            name, *at);
        return false;
    }
    return true;
}

bool leat__name_legal(const char *name)
{
    return name && leat__name_check(name, NULL);
}

bool leat__list_next(const char **at, const char **name, size_t *size)
{
    const char *start = *at, *end;

    if (!start || !*start)
        return false;
    end = start + strcspn(start, ",");
    *at = *end ? end + 1 : NULL;
    start += strspn(start, " ");
    while (end > start && end[-1] == ' ')
        end--;
    *name = start;
    *size = end > start ? (size_t)(end - start) : 0;
    return true;
}

/* The pattern in POSIX's words, between ^( and )$. [own]; NULL: no memory. */
static char *translate(const char *pattern)
{
    static const char digit[] = "[0-9]", other[] = "[^0-9]";
    char *text = leat__alloc(strlen(pattern) * 3 + 5), *to = text;

    if (!text)
        return NULL;
    to = stpcpy(to, "^(");
    for (const char *at = pattern; *at; at++) {
        if (at[0] == '\\' && (at[1] == 'd' || at[1] == 'D')) {
            to = stpcpy(to, *++at == 'd' ? digit : other);
        } else if (at[0] == '\\' && at[1]) {
            *to++ = *at++;
            *to++ = *at;
        } else if (at[0] == '(' && at[1] == '?' && at[2] == ':') {
            *to++ = '(';
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    stpcpy(to, ")$");
    return text;
}

int leat__pattern_compile(regex_t *regex, const char *pattern, leat_error_t *err)
{
    char *text = translate(pattern), why[128];
    int failed = text ? regcomp(regex, text, REG_EXTENDED | REG_NOSUB) : REG_ESPACE;

    leat__free(text);
    if (!failed)
        return LEAT_OK;
    if (failed == REG_ESPACE)
        return leat__error(err, LEAT_ENOMEM, 0, pattern, "out of memory");
    regerror(failed, regex, why, sizeof why);
    return leat__error(err, LEAT_EARGUMENT, 0, pattern,
        "topic pattern '%s' is no regular expression "
        "(POSIX extended): %s",
        pattern, why);
}

bool leat__pattern_matches(const regex_t *regex, const char *topic)
{
    return regexec(regex, topic, 0, NULL, 0) == 0;
}
