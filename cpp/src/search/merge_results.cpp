#include <algorithm>

#include "wsdhq/results.hpp"

namespace wsdhq {

std::size_t merge_results(ResultsView first, ResultsView second, std::size_t most,
                          Interrupt& interrupt, float* scores, std::int64_t* positions) {
    constexpr std::size_t per_poll = 1 << 20;
    const std::size_t count = std::min(most, first.count + second.count);
    std::size_t taken = 0;  // of the first
    for (std::size_t i = 0; i < count; ++i) {
        if (i % per_poll == per_poll - 1) {
            interrupt.throw_if_requested();
        }
        const std::size_t of_second = i - taken;
        const bool from_first =
            taken < first.count &&
            (of_second == second.count || !is_better(second[of_second], first[taken]));
        const SearchResult result = from_first ? first[taken] : second[of_second];
        taken += from_first;
        scores[i] = result.score;
        positions[i] = result.position;
    }
    return count;
}

}  // namespace wsdhq
