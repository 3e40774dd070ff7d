// The k best results of a scan, in a heap whose root is the worst of them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/parallel.hpp"
#include "search/sort_results.hpp"

namespace wsdhq {

// Keeps its heap in the arrays that the results are for: a large k needs no memory beside them.
class TopResults {
public:
    // `capacity`, at least 1, places in each array. Interrupted, it holds some results or others.
    TopResults(ResultArrays results, std::size_t capacity, Interrupt& interrupt)
        : results_(results), capacity_(capacity), interrupt_(&interrupt) {}

    std::size_t size() const { return size_; }
    bool is_full() const { return size_ == capacity_; }
    // The worst score kept, once full: a later position must have more.
    float worst_score() const { return results_.scores[0]; }

    void offer(const SearchResult& result) {
        if (size_ < capacity_) {
            results_.put(size_++, result);
            if (size_ == capacity_) {
                make_heap();
            }
        } else if (is_better(result, results_[0])) {
            sift_down(0, result);
        }
    }

    void merge(const TopResults& other) {
        for (std::size_t i = 0; i < other.size_; ++i) {
            offer(other.results_[i]);
        }
    }

    // Puts the results in order, the best first. Offers are over after this.
    void sort() { sort_results(results_, size_, *interrupt_, thread_number() == 0); }

private:
    void make_heap() {
        constexpr std::size_t per_poll = 1 << 16;
        for (std::size_t i = size_ / 2; i-- > 0;) {
            if (i % per_poll == 0 && interrupt_->requested(thread_number() == 0)) {
                return;
            }
            sift_down(i, results_[i]);
        }
    }

    // Puts `result` at `hole` or below it, where the order wants it.
    void sift_down(std::size_t hole, const SearchResult& result) {
        std::size_t child = 2 * hole + 1;
        for (; child + 1 < size_; child = 2 * hole + 1) {
            child += static_cast<std::size_t>(is_better(results_[child], results_[child + 1]));
            if (!is_better(result, results_[child])) {
                results_.put(hole, result);
                return;
            }
            results_.put(hole, results_[child]);
            hole = child;
        }
        if (child < size_ && is_better(result, results_[child])) {
            results_.put(hole, results_[child]);
            hole = child;
        }
        results_.put(hole, result);
    }

    ResultArrays results_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    Interrupt* interrupt_;
};

}  // namespace wsdhq
