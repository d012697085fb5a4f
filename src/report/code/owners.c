// Whose code it is: see owners.h.
#include "report/code/owners.h"

#include <ctype.h>
#include <string.h>

const char *owners_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool begins_with_any(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (begins(text, *list))
            return true;
    return false;
}

bool owners_is_recorder(const char *module)
{
    return begins(owners_base_name(module), "libunclosed.so");
}

bool owners_is_traced_library(const char *module)
{
    static const char *const names[] = {
        "libsqlite3.so",     "libapr-1.so", "libaprutil-1.so",  "libapr_dbd_",
        "apr_dbd_",          "libzdb.so",   "libpq.so",         "libmariadb.so",
        "libmysqlclient.so", "libodbc.so",  "libfreeswitch.so", NULL,
    };
    return begins_with_any(owners_base_name(module), names);
}

static bool is_system_folder(const char *path)
{
    static const char *const folders[] = {
        "/lib/",       "/lib64/",       "/lib32/",     "/usr/lib/", "/usr/lib64/",
        "/usr/lib32/", "/usr/libexec/", "/nix/store/", "/snap/",    NULL,
    };
    return path[0] != '/' || begins_with_any(path, folders); // [vdso] has no path
}

// Python, perl ... and their libraries: "python3.11", "libpython3.11.so.1.0", "php8.2".
static bool is_interpreter(const char *base)
{
    static const char *const names[] = {
        "python", "perl",  "php",  "ruby", "node",  "java", "lua",  "luajit", "tclsh",
        "pypy",   "guile", "mono", "R",    "julia", "erl",  "beam", NULL,
    };
    static const char *const libraries[] = {
        "libpython", "libperl", "libphp",  "libruby", "libnode", "libjvm",
        "liblua",    "libtcl",  "libmono", "libR.so", NULL,
    };
    if (begins_with_any(base, libraries))
        return true;
    for (const char *const *name = names; *name; name++) {
        // Followed by a version or nothing: "phpmyapp" is somebody's program.
        size_t length = strlen(*name);
        if (begins(base, *name) && base[length + strspn(base + length, "0123456789.-_")] == 0)
            return true;
    }
    return false;
}

// Packages of language runtimes, which are installed anywhere: virtual environments, pyenv, conda.
static bool is_package_folder(const char *path)
{
    static const char *const parts[] = {
        "/site-packages/", "/dist-packages/",
        "/lib-dynload/",   "/node_modules/",
        "/vendor/",        "/share/php/",
        "/perl5/",         "/share/perl",
        "/lib/perl",       "/gems/",
        "/lib/ruby/",      "/share/lua/",
        "/lib/lua/",       NULL,
    };
    for (const char *const *part = parts; *part; part++)
        if (strstr(path, *part))
            return true;
    // .../lib/python3.11/...: the standard library
    for (const char *at = path; (at = strstr(at, "/lib/python")) != NULL; at++)
        if (isdigit((unsigned char)at[strlen("/lib/python")]))
            return true;
    return false;
}

enum frame_owner owners_of_module(const char *module, const char *executable)
{
    if (owners_is_traced_library(module))
        return FRAME_LIBRARY;
    if (is_interpreter(owners_base_name(module)))
        return FRAME_INTERPRETER;
    if (executable[0] && strcmp(module, executable) == 0)
        return FRAME_USER;
    return is_system_folder(module) || is_package_folder(module) ? FRAME_LIBRARY : FRAME_USER;
}

// Whether a folder on the way to `file` is called like a database package: a checkout of SQLAlchemy
// itself, a package in a zip file, a vendored copy.
static bool is_database_package(const char *file)
{
    static const char *const packages[] = {
        "sqlalchemy", "sqlmodel", "aiosqlite", "psycopg_pool", "psycopg2",
        "psycopg",    "dbutils",  "peewee",    "django",       NULL,
    };
    for (const char *const *package = packages; *package; package++) {
        size_t length = strlen(*package);
        for (const char *at = file; (at = strstr(at, *package)) != NULL; at++)
            if ((at == file || at[-1] == '/') && (at[length] == '/' || at[length] == '.'))
                return true;
    }
    return false;
}

enum frame_owner owners_of_source(const char *file)
{
    if (begins(file, "<frozen ") || begins(file, "<internal:")) // Python, Ruby
        return FRAME_LIBRARY;
    return is_package_folder(file) || is_database_package(file) ? FRAME_LIBRARY : FRAME_USER;
}

bool owners_is_system_header(const char *file)
{
    static const char *const folders[] = {"/usr/include/", "/usr/lib/", "/usr/share/", NULL};
    return begins_with_any(file, folders) || strcmp(owners_base_name(file), "unclosed.h") == 0;
}

const char *owners_relative_path(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    if (length > 1 && strncmp(path, directory, length) == 0 && path[length] == '/')
        return path + length + 1;
    return path;
}
