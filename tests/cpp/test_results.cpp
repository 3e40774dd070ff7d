// Sorting and merging of results: as the order says, and stopped when asked to.
#include <algorithm>
#include <vector>

#include "check.hpp"
#include "search/sort_results.hpp"
#include "search/top_results.hpp"

using namespace wsdhq;

namespace {

// Few scores, so that many results tie, and positions in no order.
std::vector<SearchResult> made_results(std::size_t count, std::uint32_t num_scores) {
    test::Numbers numbers(count);
    std::vector<SearchResult> results(count);
    for (std::size_t i = 0; i < count; ++i) {
        results[i] = {static_cast<float>(numbers.word() % num_scores),
                      static_cast<std::int64_t>(i * 7 % count)};
    }
    return results;
}

bool same(const SearchResult& a, const SearchResult& b) {
    return a.score == b.score && a.position == b.position;
}

struct Arrays {
    explicit Arrays(const std::vector<SearchResult>& results) {
        for (const SearchResult& result : results) {
            scores.push_back(result.score);
            positions.push_back(result.position);
        }
    }
    ResultArrays places() { return {scores.data(), positions.data()}; }
    ResultsView view() const { return {scores.data(), positions.data(), scores.size()}; }

    std::vector<float> scores;
    std::vector<std::int64_t> positions;
};

}  // namespace

WSDHQ_CASE(results_are_sorted_as_the_order_says) {
    Interrupt never;
    for (const std::size_t count : {0, 1, 2, 1000, 131'072, 131'073, 1'000'000}) {
        for (const std::uint32_t num_scores : {1u, 3u, 1'000'000u}) {
            std::vector<SearchResult> results = made_results(count, num_scores);
            Arrays arrays(results);
            std::vector<SearchResult> expected = results;
            std::sort(expected.begin(), expected.end(), is_better);
            sort_results(ResultList{results.data()}, count, never, true);
            sort_results(arrays.places(), count, never, true);
            for (std::size_t i = 0; i < count; ++i) {
                WSDHQ_CHECK(same(results[i], expected[i]));
                WSDHQ_CHECK(same(arrays.view()[i], expected[i]));
            }
        }
    }
}

WSDHQ_CASE(results_in_order_or_against_it_are_sorted) {
    Interrupt never;
    std::vector<SearchResult> expected = made_results(500'000, 1000);
    std::sort(expected.begin(), expected.end(), is_better);
    std::vector<SearchResult> results = expected;
    for (int turn = 0; turn < 2; ++turn) {
        sort_results(ResultList{results.data()}, results.size(), never, true);
        for (std::size_t i = 0; i < results.size(); ++i) {
            WSDHQ_CHECK(same(results[i], expected[i]));
        }
        std::reverse(results.begin(), results.end());
    }
}

WSDHQ_CASE(sorting_ends_when_it_is_to_stop) {
    std::vector<SearchResult> results = made_results(1'000'000, 1'000'000);
    const std::vector<SearchResult> before = results;
    Interrupt stopped([] { return true; });
    while (!stopped.requested(true)) {
    }
    sort_results(ResultList{results.data()}, results.size(), stopped, true);
    WSDHQ_CHECK(!std::is_sorted(results.begin(), results.end(), is_better));
    // Whatever the order, none is lost.
    std::sort(results.begin(), results.end(), is_better);
    std::vector<SearchResult> expected = before;
    std::sort(expected.begin(), expected.end(), is_better);
    WSDHQ_CHECK(std::equal(results.begin(), results.end(), expected.begin(), same));
}

WSDHQ_CASE(the_best_are_kept_and_sorted) {
    Interrupt never;
    const std::vector<SearchResult> results = made_results(300'000, 5000);
    std::vector<SearchResult> expected = results;
    std::sort(expected.begin(), expected.end(), is_better);
    for (const std::size_t capacity : {1, 10, 200'000, 300'000, 400'000}) {
        Arrays arrays(std::vector<SearchResult>(capacity, SearchResult{0.0f, -1}));
        TopResults best(arrays.places(), capacity, never);
        for (const SearchResult& result : results) {
            best.offer(result);
        }
        best.sort();
        WSDHQ_CHECK(best.size() == std::min(capacity, results.size()));
        for (std::size_t i = 0; i < best.size(); ++i) {
            WSDHQ_CHECK(same(arrays.view()[i], expected[i]));
        }
    }
}

WSDHQ_CASE(two_lists_become_one) {
    Interrupt never;
    std::vector<SearchResult> all = made_results(5000, 40);
    for (const std::size_t of_first : {0, 1, 2500, 5000}) {
        const auto middle = all.begin() + static_cast<std::ptrdiff_t>(of_first);
        std::sort(all.begin(), middle, is_better);
        std::sort(middle, all.end(), is_better);
        const Arrays first(std::vector<SearchResult>(all.begin(), middle));
        const Arrays second(std::vector<SearchResult>(middle, all.end()));
        std::vector<SearchResult> expected = all;
        std::sort(expected.begin(), expected.end(), is_better);
        for (const std::size_t most : {0, 1, 3000, 5000, 6000}) {
            Arrays merged(std::vector<SearchResult>(most, SearchResult{0.0f, -1}));
            const std::size_t count = merge_results(first.view(), second.view(), most, never,
                                                    merged.scores.data(), merged.positions.data());
            WSDHQ_CHECK(count == std::min<std::size_t>(most, 5000));
            for (std::size_t i = 0; i < count; ++i) {
                WSDHQ_CHECK(same(merged.view()[i], expected[i]));
            }
        }
    }
}
