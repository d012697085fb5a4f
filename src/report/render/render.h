// Renderers: each prints a profile in one format, and is one file and one line of the table in
// report.c. They know the profile and no traces.
#ifndef UNCLOSED_REPORT_RENDER_RENDER_H
#define UNCLOSED_REPORT_RENDER_RENDER_H

#include <stdio.h>

#include "report/profile/profile.h"
#include "report/report.h"

// Print the whole report. Errors of writing are left in ferror(out).
void render_text(const struct profile *profile, const struct report_request *request, FILE *out);
void render_json(const struct profile *profile, const struct report_request *request, FILE *out);

// Print the sessions that are out, oldest first.
void render_held_text(const struct profile *profile, const struct report_request *request,
                      FILE *out);
void render_held_json(const struct profile *profile, const struct report_request *request,
                      FILE *out);

#endif
