// Patching entries on processors for which it is not written: see patch.h. Nothing is patched.
#include "recorder/hooks/patch.h"

void patches_load(void)
{
}

void patches_module(const struct module *module)
{
    (void)module;
}

void patches_drop_unmapped(void)
{
}

void patches_write_all(void)
{
}

void patches_written(void)
{
}
