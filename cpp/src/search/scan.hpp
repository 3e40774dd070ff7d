// Scanning blocks of codes for a group of queries: each block is filtered for all of them while it
// is in the first cache, and the survivors are scored in float.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "search/score_filter.hpp"
#include "search/top_results.hpp"
#include "wsdhq/searcher.hpp"

namespace wsdhq {

// Keeps the k best.
struct TopSink {
    TopResults results;

    bool has_threshold() const { return results.is_full(); }
    float threshold() const { return results.worst_score(); }
    // Positions come in ascending order: one that only equals the worst kept is behind it.
    bool wants(float score) const { return !results.is_full() || score > results.worst_score(); }
    void take(const SearchResult& result) { results.offer(result); }
};

// Keeps every score from `least` on.
struct RangeSink {
    float least;
    std::vector<SearchResult> results = {};

    bool has_threshold() const { return true; }
    float threshold() const { return least; }
    bool wants(float score) const { return score >= least; }
    void take(const SearchResult& result) { results.push_back(result); }
};

// One shard of the database for one group of queries.
struct ScanTask {
    CodebooksView codebooks;  // as searched
    Similarity similarity;
    const Database* database;
    std::size_t first_block;
    std::size_t last_block;
    const PreparedQuery* queries;
    std::size_t num_queries;  // at most kernels::kMaxQueries
    std::uint8_t* losses;     // scratch (num_queries, num_rows, kernels::kTableSize)
    const kernels::SearchKernels* kernels;
};

// Offers to sinks (num_queries) what they may want. Returns early when interrupted.
template <typename Sink>
void scan(const ScanTask& task, Interrupt& interrupt, bool is_caller, Sink* sinks);

extern template void scan(const ScanTask&, Interrupt&, bool, TopSink*);
extern template void scan(const ScanTask&, Interrupt&, bool, RangeSink*);

}  // namespace wsdhq
