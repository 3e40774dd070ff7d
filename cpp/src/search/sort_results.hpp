// Results put in order in steps that are short beside the second in which a Ctrl-C is to be heard.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "wsdhq/interrupt.hpp"
#include "wsdhq/results.hpp"

namespace wsdhq {

// Results as a caller wants them: an array of scores, and one of positions.
struct ResultArrays {
    float* scores;
    std::int64_t* positions;

    SearchResult operator[](std::size_t i) const { return {scores[i], positions[i]}; }
    void put(std::size_t i, const SearchResult& result) const {
        scores[i] = result.score;
        positions[i] = result.position;
    }
};

// Results one after the other.
struct ResultList {
    SearchResult* results;

    SearchResult operator[](std::size_t i) const { return results[i]; }
    void put(std::size_t i, const SearchResult& result) const { results[i] = result; }
};

// Sorts on one thread: by quicksort down to pieces that are sorted in a copy. `is_caller` as
// Interrupt has it. Interrupted, it leaves the results in some order.
template <typename Results>
class ResultSorter {
public:
    ResultSorter(Results results, Interrupt& interrupt, bool is_caller)
        : results_(results), interrupt_(&interrupt), is_caller_(is_caller) {}

    void sort(std::size_t count) {
        copy_.reserve(std::min(count, kPiece));
        if (count <= kPiece) {
            sort_piece({0, count});
            return;
        }
        std::vector<Range> open{{0, count}};
        while (!open.empty() && !interrupt_->requested(is_caller_)) {
            const Range range = open.back();
            open.pop_back();
            if (range.end - range.begin <= kPiece) {
                sort_piece(range);
                continue;
            }
            const auto [left, right] = part(range);
            // The smaller one next, so that few are open at a time.
            const bool left_is_smaller = left.end - left.begin < right.end - right.begin;
            open.push_back(left_is_smaller ? right : left);
            open.push_back(left_is_smaller ? left : right);
        }
    }

private:
    struct Range {
        std::size_t begin;
        std::size_t end;
    };
    static constexpr std::size_t kPiece = std::size_t{1} << 17;
    static constexpr std::size_t kPerPoll = std::size_t{1} << 18;
    static constexpr std::size_t kSample = 255;

    void sort_piece(Range range) {
        copy_.clear();
        for (std::size_t i = range.begin; i < range.end; ++i) {
            copy_.push_back(results_[i]);
        }
        std::sort(copy_.begin(), copy_.end(), is_better);
        for (std::size_t i = range.begin; i < range.end; ++i) {
            results_.put(i, copy_[i - range.begin]);
        }
    }

    // The middle one of a sample.
    SearchResult pivot(Range range) const {
        std::array<SearchResult, kSample> sample;
        const std::size_t step = (range.end - range.begin) / kSample;
        for (std::size_t i = 0; i < kSample; ++i) {
            sample[i] = results_[range.begin + i * step];
        }
        std::nth_element(sample.begin(), sample.begin() + kSample / 2, sample.end(), is_better);
        return sample[kSample / 2];
    }

    // Puts what is better than a pivot before what is worse. Both sides are shorter than the range.
    std::pair<Range, Range> part(Range range) {
        const SearchResult middle = pivot(range);
        std::size_t low = range.begin;
        std::size_t high = range.end;  // one behind
        std::size_t steps = 0;
        const auto stops = [&] {
            return ++steps % kPerPoll == 0 && interrupt_->requested(is_caller_);
        };
        for (;;) {
            while (is_better(results_[low], middle)) {
                ++low;
                if (stops()) {
                    return {{0, 0}, {0, 0}};
                }
            }
            while (is_better(middle, results_[high - 1])) {
                --high;
                if (stops()) {
                    return {{0, 0}, {0, 0}};
                }
            }
            if (low + 1 >= high) {
                // What stands at `low` is the pivot, or belongs to the right of it.
                return {{range.begin, low}, {low, range.end}};
            }
            const SearchResult moved = results_[low];
            results_.put(low++, results_[high - 1]);
            results_.put(--high, moved);
        }
    }

    Results results_;
    Interrupt* interrupt_;
    bool is_caller_;
    std::vector<SearchResult> copy_;
};

template <typename Results>
void sort_results(Results results, std::size_t count, Interrupt& interrupt, bool is_caller) {
    ResultSorter<Results>(results, interrupt, is_caller).sort(count);
}

}  // namespace wsdhq
