// Parts of the JSON report for renderers that have the same data in another shape. They are without
// stacks, which each has in its own way. Results are new references. Not thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_JSON_PARTS_H
#define UNCLOSED_REPORT_RENDER_JSON_PARTS_H

#include <jansson.h>

#include "report/profile/profile.h"
#include "report/profile/site_key.h"

json_t *json_process(const struct profile *profile, const struct profile_process *process);
json_t *json_totals(const struct profile *profile);
json_t *json_pool(const struct profile *profile, const struct profile_pool *pool);
json_t *json_site(const struct profile *profile, const struct profile_site *site,
                  const struct site_key *key);
json_t *json_exhaustion(const struct profile *profile, const struct profile_exhaustion *exhaustion);
json_t *json_misuse(const struct profile_misuse *misuse);
json_t *json_blind(const struct profile *profile);
json_t *json_inside(const struct profile *profile);
json_t *json_texts(const char *const *texts, size_t count);

#endif
