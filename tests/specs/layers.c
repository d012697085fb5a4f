// Uses layers_lib.c: 6 uses of the counted handle of which 1 is never given back, 4 connections of
// which 2 are never closed, and a failed one. Prints what it did.
#include <stdio.h>
#include <string.h>

#include "layers.h"

static void use_twice_at_once(void)
{
    struct counted *first = NULL;
    struct counted *second = NULL;
    counted_get(&first);
    counted_get(&second);
    puts(first == second ? "the same handle" : "another handle");
    counted_put(&second);
    counted_dismiss(&first);
}

static void forget_one_of_two(void)
{
    struct counted *first = NULL;
    struct counted *second = NULL;
    counted_get_ex(&first, 1);
    counted_get(&second);
    counted_dismiss(&second);
}

static void connect_and_forget(int forget)
{
    struct outer *handle = outer_new();
    outer_connect(handle, ":memory:");
    if (!forget)
        outer_disconnect(handle);
}

static void fail_to_connect(void)
{
    struct outer *handle = outer_new();
    outer_connect(handle, "/nonexistent/folder/database");
}

int main(void)
{
    use_twice_at_once();
    use_twice_at_once();
    forget_one_of_two();
    connect_and_forget(0);
    connect_and_forget(1); // once
    connect_and_forget(1); // again
    connect_and_forget(0);
    fail_to_connect();
    return 0;
}
