// What the parts of the profile's builder share with each other only.
#ifndef UNCLOSED_REPORT_PROFILE_BUILD_H
#define UNCLOSED_REPORT_PROFILE_BUILD_H

#include "report/code/map.h"
#include "report/profile/profile.h"

// A trace that was added, with what its references became.
struct source {
    struct trace_reader *trace;
    struct profile_process *process;
    struct frames_reader *frames;
    struct map sites; // struct raw_site by reference
    struct map pools; // struct profile_pool by reference
};

struct profile_builder {
    struct profile *profile;
    struct profile_cache *cache;
    LIST(struct source *) sources;
    struct profile_asking asking;
    struct suppressions *suppressions; // or NULL
};

// Merges the sites and the sessions still out into profile->sites and profile->sessions.
// Pools are known already.
void profile_build_sites(struct profile_builder *builder);
// The merged site that a trace's site became; NULL for TRACE_NONE and incomplete records.
struct profile_site *profile_site_of(const struct source *source, uint32_t ref);

// The numbers of one trace's site, which must not be TRACE_NONE; NULL if it is not listed.
// leaked_live: of its sessions never closed and still out, those out at the high-water mark.
const struct profile_tally *profile_site_numbers(const struct source *source, uint32_t ref,
                                                 uint64_t *leaked_live);

// The timeline of a merged site: first each of its sites extends it, then each is added.
void profile_growth_extend(struct profile_growth *growth, const struct source *source,
                           const struct trace_site *record);
void profile_growth_add(struct profile_growth *growth, const struct source *source,
                        const struct trace_site *record);

// Merges the pools into profile->pools, still without what the sites tell about them.
void profile_build_pools(struct profile_builder *builder);
struct profile_pool *profile_pool_of(const struct source *source, uint32_t ref);
// Adds what only the merged sites tell: holders at the high-water mark, totals.
void profile_finish_pools(struct profile_builder *builder);

// Adds who held a pool in each bucket of its timeline. Sites are known already.
void profile_build_moments(struct profile_builder *builder);

// Whether the pool `ref` of a trace is the instance that `pool` has its high-water mark from.
bool profile_is_peak(const struct profile_pool *pool, const struct source *source, uint32_t ref);

// Sizing: each site that took from that instance, then the instance itself.
// out: sessions of the site that were out at the high-water mark. leaked_live: see above.
void profile_size_site(struct profile_sizing *sizing, const struct trace_site *record,
                       const struct profile_tally *tally, uint64_t out, uint64_t leaked_live);
// Sessions of unknown age that were out at the high-water mark: `live` of them are out still.
void profile_size_inherited(struct profile_sizing *sizing, uint64_t out, uint64_t live);
void profile_size_pool(struct profile_pool *pool, uint64_t acquires);

// Gives back the tables behind profile_site_of and profile_pool_of.
void profile_forget_sites(struct source *source);
void profile_forget_pools(struct source *source);

// Adds where the holders of sessions are now, if that was asked for. Sites are known already.
void profile_build_now(struct profile_builder *builder);

// Whether the thread that acquired a session which is out has ended.
bool profile_thread_has_ended(const struct trace_reader *trace, const struct trace_session *record);

// Whether a session that is out is younger than those of its site, of this record, usually get, so
// that it would have come back, had its process not ended or been left.
bool profile_is_under_way(const struct trace_site *record, const struct profile_session *session);

// The test that a stack of Python's unittest belongs to, "module.Class.method"; "": none.
const char *profile_unittest_of(struct arena *arena, const struct frames *stack);

// What a session is that was acquired before an attach.
void profile_judge_inherited(const struct source *source, const struct trace_session *record,
                             struct profile_session *session);
// Counts the inherited sessions and those that have ended. Sites and pools are known already.
void profile_build_inherited(struct profile_builder *builder);

void profile_build_exhaustions(struct profile_builder *builder);
void profile_build_misuses(struct profile_builder *builder);
void profile_build_unseen(struct profile_builder *builder);
void profile_build_blind(struct profile_builder *builder);

// `at_ns` of a trace, counted from the start of its process; 0 for moments before.
uint64_t profile_since_start(const struct source *source, uint64_t at_ns);
const char *profile_text(const struct profile_builder *builder, const struct source *source,
                         uint32_t ref);
void profile_tally_add(struct profile_tally *to, const struct profile_tally *from);

#endif
