// Where things are, as SARIF says it: see sarif.h.
#include "report/render/sarif/sarif.h"

#include "report/code/owners.h"
#include "report/render/json/values.h"
#include "report/render/plain.h"

// RFC 3986: what stands for itself, and "/". All other bytes are escaped, whatever they encode.
static const char *encode(struct arena *arena, const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    static const char digits[] = "0123456789ABCDEF";
    char *text = arena_take(arena, strlen(path) * 3 + 1);
    char *to = text;
    for (; *path; path++) {
        if (strchr(plain, *path)) {
            *to++ = *path;
            continue;
        }
        *to++ = '%';
        *to++ = digits[(unsigned char)*path >> 4];
        *to++ = digits[*path & 15];
    }
    return text;
}

const char *sarif_uri(struct arena *arena, const char *path, bool folder)
{
    const size_t length = strlen(path);
    const bool slash = folder && (length == 0 || path[length - 1] != '/');
    return arena_format(arena, "file://%s%s", encode(arena, path), slash ? "/" : "");
}

// NULL: the frame has no file.
static const char *absolute_path(struct arena *arena, const struct frame *frame,
                                 const char *directory)
{
    if (!frame || !frame->file)
        return NULL;
    char *path = frame->file[0] == '/' ? arena_text(arena, frame->file)
                                       : arena_format(arena, "%s/%s", directory, frame->file);
    site_key_drop_dots(path);
    return path;
}

static const char *path_inside(const struct sarif *sarif, const char *path)
{
    if (path && strcmp(sarif->root, "/") == 0)
        return path[0] == '/' ? path + 1 : NULL;
    const char *relative = path ? owners_relative_path(path, sarif->root) : NULL;
    return relative && relative != path && relative[0] != '/' ? relative : NULL;
}

bool sarif_is_inside(const struct sarif *sarif, const struct frame *frame, const char *directory)
{
    return path_inside(sarif, absolute_path(sarif->profile->arena, frame, directory)) != NULL;
}

static json_t *physical_location(const struct sarif *sarif, const struct frame *frame,
                                 const char *directory, const char *code)
{
    struct arena *arena = sarif->profile->arena;
    const char *path = absolute_path(arena, frame, directory);
    const char *inside = path_inside(sarif, path);
    if (!path)
        path = frame->module;
    if (!path || path[0] != '/')
        return NULL; // "<string>", "[vdso]": no file
    json_t *artifact = json_object();
    json_set_text(artifact, "uri", inside ? encode(arena, inside) : sarif_uri(arena, path, false));
    if (inside)
        json_set_text(artifact, "uriBaseId", "%SRCROOT%");
    json_t *physical = json_object();
    json_object_set_new(physical, "artifactLocation", artifact);
    if (!frame->file || frame->line == 0)
        return physical;
    json_t *region = json_object();
    json_set_number(region, "startLine", frame->line);
    if (*code) {
        json_t *snippet = json_object();
        json_set_text(snippet, "text", plain_text(arena, code, SARIF_TEXT));
        json_object_set_new(region, "snippet", snippet);
    }
    json_object_set_new(physical, "region", region);
    return physical;
}

json_t *sarif_location(const struct sarif *sarif, const struct frame *frame, const char *directory,
                       const char *code)
{
    struct arena *arena = sarif->profile->arena;
    json_t *location = json_object();
    json_t *physical = physical_location(sarif, frame, directory, code);
    if (physical)
        json_object_set_new(location, "physicalLocation", physical);
    const char *function = plain_text(arena, plain_function(frame), SARIF_TEXT);
    if (*function) {
        json_t *logical = json_object();
        json_set_text(logical, "fullyQualifiedName", function);
        json_set_text(logical, "kind", "function");
        json_object_set_new(location, "logicalLocations", json_pack("[o]", logical));
    }
    return location;
}
