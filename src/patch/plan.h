// Which functions of a program can be patched at their entry, and how: made before it runs.
//
// Knows ELF symbols; displace.c and entered.c know the machine code. Patching itself
// is done in the process, by the recorder.
#ifndef UNCLOSED_PATCH_PLAN_H
#define UNCLOSED_PATCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/spec.h"
#include "trace/trace_patch.h"

struct plan;

// What was found of a function that a spec names.
struct plan_finding {
    const char *name;         // of the function
    const char *file;         // it is in, as given
    const struct spec *spec;  // that names it
    enum trace_patch outcome; // DONE and COPIES: can be patched
};

// What the plan is for.
enum plan_mode {
    PLAN_FOR_START,  // a program that is about to start: functions of verb `use` are left out
    PLAN_FOR_ATTACH, // a live one, whose sessions are recognized when they are used
    PLAN_TO_TELL,    // nothing is to be patched: what could be is marked NOT_ASKED
};

enum plan_scope {
    PLAN_EVERYTHING, // every definition: calls inside an executable are direct
    PLAN_HIDDEN,     // those that no table leads to: the exported ones are hooked otherwise
};

// A plan for the functions that `specs` name, to be freed.
// The specs must stay where they are. Never NULL: out of memory ends the program.
struct plan *plan_new(const struct spec *specs, int count, enum plan_mode mode);
void plan_free(struct plan *plan);

// Looks into the file at `path`, which is called `shown` in findings. A file that is not there, is
// no ELF file of this processor or has no symbols adds nothing. Result: whether it has a full
// symbol table.
bool plan_add_file(struct plan *plan, const char *path, const char *shown, enum plan_scope scope);

// The plan as text (recorder/patch_plan.h); "" if there is nothing to say. Valid until plan_free.
const char *plan_text(struct plan *plan);

size_t plan_finding_count(const struct plan *plan);
const struct plan_finding *plan_finding(const struct plan *plan, size_t index);

#endif
