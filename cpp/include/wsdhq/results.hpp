// What a search finds, and the order of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wsdhq/interrupt.hpp"

namespace wsdhq {

struct SearchResult {
    float score;
    std::int64_t position;
};

// Larger score first, then lower position: a total order, so that results of parts of a database
// merge to one answer.
inline bool is_better(const SearchResult& a, const SearchResult& b) {
    // Without branches: in a heap they would be guessed wrongly half the time.
    return static_cast<bool>(
        static_cast<int>(a.score > b.score) |
        (static_cast<int>(a.score == b.score) & static_cast<int>(a.position < b.position)));
}

// Results of one query, the best first.
struct ResultsView {
    const float* scores;
    const std::int64_t* positions;
    std::size_t count;

    SearchResult operator[](std::size_t i) const { return {scores[i], positions[i]}; }
};

// Writes the best of both, best first, at most `most`; returns how many. Throws Cancelled.
std::size_t merge_results(ResultsView first, ResultsView second, std::size_t most,
                          Interrupt& interrupt, float* scores, std::int64_t* positions);

}  // namespace wsdhq
