/*
 * runtime/commit_metadata.c: the text that stands beside a committed offset, as Kafka Streams
 * writes and reads it: base64 of {2}{partition time 8}{progress}. Progress is a count and (name,
 * value) pairs, nothing if there are none; version 1, of older programs, has the time only.
 */
#include "task.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"

#include <string.h>

enum { VERSION = 2, TIME_SIZE = 8, HEAD_SIZE = 1 + TIME_SIZE, NUMBER_SIZE = 4 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- base64 ---- */

static char *to_text(const unsigned char *bytes, size_t size)
{
    char *text = leat__must_alloc((size + 2) / 3 * 4 + 1), *at = text;

    for (size_t i = 0; i < size; i += 3, at += 4) {
        size_t left = size - i;
        uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0);

        for (size_t k = 0; k < 4; k++)
            at[k] = k <= left ? alphabet[three >> (18 - 6 * k) & 63] : '=';
    }
    *at = '\0';
    return text;
}

/* [own] NULL: no base64. */
static unsigned char *from_text(const char *text, size_t *size)
{
    size_t length = strlen(text), padding = 0;
    unsigned char *bytes;

    if (length == 0 || length % 4)
        return NULL;
    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    bytes = leat__must_alloc(length / 4 * 3);
    *size = length / 4 * 3 - padding;
    for (size_t i = 0; i < length; i++) {
        const char *digit = i >= length - padding ? alphabet : strchr(alphabet, text[i]);
        uint32_t bits = digit ? (uint32_t)(digit - alphabet) : 0;
        size_t at = i / 4 * 3;

        if (!digit) {
            leat__free(bytes);
            return NULL;
        }
        switch (i % 4) {
        case 0:
            bytes[at] = (unsigned char)(bits << 2);
            break;
        case 1:
            bytes[at] = (unsigned char)(bytes[at] | bits >> 4);
            bytes[at + 1] = (unsigned char)(bits << 4);
            break;
        case 2:
            bytes[at + 1] = (unsigned char)(bytes[at + 1] | bits >> 2);
            bytes[at + 2] = (unsigned char)(bits << 6);
            break;
        default:
            bytes[at + 2] = (unsigned char)(bytes[at + 2] | bits);
        }
    }
    return bytes;
}

/* ---- writing ---- */

static size_t size_of(const leat__progress_t *progress)
{
    size_t size = HEAD_SIZE;

    if (!progress || progress->count == 0)
        return size;
    size += NUMBER_SIZE;
    for (size_t i = 0; i < progress->count; i++)
        size += NUMBER_SIZE + strlen(progress->at[i].name) + TIME_SIZE;
    return size;
}

static void write_progress(unsigned char *at, const leat__progress_t *progress)
{
    leat__store_be32(at, (uint32_t)progress->count);
    at += NUMBER_SIZE;
    for (size_t i = 0; i < progress->count; i++) {
        size_t size = strlen(progress->at[i].name);

        leat__store_be32(at, (uint32_t)size);
        memcpy(at + NUMBER_SIZE, progress->at[i].name, size);
        at += NUMBER_SIZE + size;
        leat__store_be64(at, (uint64_t)progress->at[i].value);
        at += TIME_SIZE;
    }
}

char *leat__commit_metadata(int64_t partition_time_ms, const leat__progress_t *progress)
{
    size_t size = size_of(progress);
    unsigned char *bytes = leat__must_alloc(size);
    char *text;

    bytes[0] = VERSION;
    leat__store_be64(bytes + 1, (uint64_t)partition_time_ms);
    if (size > HEAD_SIZE)
        write_progress(bytes + HEAD_SIZE, progress);
    text = to_text(bytes, size);
    leat__free(bytes);
    return text;
}

/* ---- reading ---- */

/* [own] NULL: none, or not of a known version. */
static unsigned char *read(const char *metadata, size_t *size)
{
    unsigned char *bytes = metadata ? from_text(metadata, size) : NULL;

    if (bytes && *size >= HEAD_SIZE && (bytes[0] == 1 || bytes[0] == VERSION))
        return bytes;
    leat__free(bytes);
    return NULL;
}

int64_t leat__commit_metadata_time(const char *metadata)
{
    size_t size;
    unsigned char *bytes = read(metadata, &size);
    int64_t time_ms = bytes ? (int64_t)leat__load_be64(bytes + 1) : -1;

    leat__free(bytes);
    return time_ms;
}

void leat__commit_metadata_progress(const char *metadata, leat__progress_t *progress)
{
    size_t size, at = HEAD_SIZE + NUMBER_SIZE;
    unsigned char *bytes = read(metadata, &size);
    uint32_t count = 0;

    if (bytes && bytes[0] == VERSION && size >= at)
        count = leat__load_be32(bytes + HEAD_SIZE);
    for (uint32_t i = 0; i < count && size - at >= NUMBER_SIZE; i++) {
        size_t name_size = leat__load_be32(bytes + at);

        at += NUMBER_SIZE;
        if (size - at < TIME_SIZE || name_size > size - at - TIME_SIZE)
            break;
        leat__progress_merge(progress, (const char *)bytes + at, name_size,
            (int64_t)leat__load_be64(bytes + at + name_size));
        at += name_size + TIME_SIZE;
    }
    leat__free(bytes);
}
