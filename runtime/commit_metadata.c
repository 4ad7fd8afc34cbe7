/*
 * runtime/commit_metadata.c: the text that stands beside a committed offset, as Kafka Streams
 * writes and reads it: base64 of {2}{partition time 8}{processor metadata}. The metadata is a
 * count and (name, value) pairs, nothing if there are none; version 1, of older programs, has the
 * time only.
 */
#include "task.h"
#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

enum { VERSION = 2, TIME_SIZE = 8, HEAD_SIZE = 1 + TIME_SIZE, HEAD_TEXT = HEAD_SIZE / 3 * 4 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *leat__commit_metadata(int64_t partition_time_ms)
{
    unsigned char bytes[HEAD_SIZE] = {VERSION};
    char *text = leat__must_alloc(HEAD_TEXT + 1);

    _Static_assert(HEAD_SIZE % 3 == 0, "no padding is needed");
    leat__store_be64(bytes + 1, (uint64_t)partition_time_ms);
    for (int i = 0; i < HEAD_SIZE / 3; i++) {
        uint32_t three =
            (uint32_t)bytes[3 * i] << 16 | (uint32_t)bytes[3 * i + 1] << 8 | bytes[3 * i + 2];

        for (int k = 0; k < 4; k++)
            text[4 * i + k] = alphabet[three >> (18 - 6 * k) & 63];
    }
    return text;
}

int64_t leat__commit_metadata_time(const char *metadata)
{
    unsigned char bytes[HEAD_SIZE];

    if (!metadata)
        return -1;
    for (int i = 0; i < HEAD_SIZE / 3; i++) {
        uint32_t three = 0;

        for (int k = 0; k < 4; k++) {
            const char *digit = metadata[4 * i + k] ? strchr(alphabet, metadata[4 * i + k]) : NULL;

            if (!digit)
                return -1;
            three = three << 6 | (uint32_t)(digit - alphabet);
        }
        bytes[3 * i] = (unsigned char)(three >> 16);
        bytes[3 * i + 1] = (unsigned char)(three >> 8);
        bytes[3 * i + 2] = (unsigned char)three;
    }
    if (bytes[0] != 1 && bytes[0] != VERSION)
        return -1;
    return (int64_t)leat__load_be64(bytes + 1);
}
