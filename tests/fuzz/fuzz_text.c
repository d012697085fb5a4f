// Fuzzes what is made of texts before they are written down or shown: redaction of connection
// strings, command lines and SQL, cleaning, JSON. Results fit, end with NUL, and are safe to show.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/render/json/values.h"
#include "shared/clean.h"
#include "shared/output_name.h"
#include "shared/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(const char *text)
{
    char copy[4096];
    assert(strlen(text) < sizeof copy);
    strcpy(copy, text);
    clean_text(copy);
    struct clean_piece piece = clean_next(copy, strlen(copy), CLEAN_ONE_LINE);
    assert(piece.as_it_is && piece.taken == strlen(copy)); // clean text stays as it is
}

static void check_json(const char *text)
{
    char *printed = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&printed, &bytes);
    json_t *array = json_array();
    assert(out && array);
    json_array_append_new(array, json_text(text));
    json_print(array, 1, out);
    fclose(out);
    json_t *again = json_loadb(printed, bytes, 0, NULL);
    assert(json_is_array(again));
    struct clean_piece piece = clean_next(printed, bytes, CLEAN_LINES);
    assert(piece.taken == bytes);
    json_decref(again);
    free(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char result[256];
    if (size < 2 || size > 2000)
        return 0;
    size_t room = 1 + data[0];
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    assert(redact_sql(text, size - 1, data[0] & 1, result, room) < room);
    assert(redact_command(text, size - 1, result, room) < room);
    size_t length = redact(text, result, room);
    assert(length < room && result[length] == '\0');
    (void)output_name_fits("%e.%p-%t%h.trace", data[0], text);
    check_clean(text);
    check_json(text);
    free(text);
    return 0;
}
