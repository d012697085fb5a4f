// Hashes of whole words and of bytes, cheap enough for the path of every acquire. Not for keys that
// an adversary chooses.
#ifndef UNCLOSED_RECORDER_CORE_HASH_H
#define UNCLOSED_RECORDER_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Mixes 64-bit words by multiplication, the upper half folded back after each (the idea of
// wyhash and its kin); two lanes, because each step waits for the one before.
static inline uint64_t hash_words(const uint64_t *words, size_t count)
{
    const uint64_t odd1 = UINT64_C(0x9e3779b97f4a7c15), odd2 = UINT64_C(0xc2b2ae3d27d4eb4f);
    uint64_t a = odd2 ^ count, b = odd1;
    for (; count >= 2; count -= 2, words += 2) {
        a = (a ^ words[0]) * odd1;
        b = (b ^ words[1]) * odd2;
        a ^= a >> 32;
        b ^= b >> 29;
    }
    if (count > 0)
        a = (a ^ words[0]) * odd1;
    a = (a ^ (b >> 31) ^ b) * odd2;
    return a ^ (a >> 32);
}

static inline uint64_t hash_bytes(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t hash = count, word;
    for (; count >= sizeof word; count -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, at, count);
    hash = (hash ^ word) * UINT64_C(0xc2b2ae3d27d4eb4f);
    return hash ^ (hash >> 32);
}

#endif
