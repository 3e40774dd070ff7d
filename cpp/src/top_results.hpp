// The k best results of a scan, in a heap whose root is the worst of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "wsdhq/aqd.hpp"

namespace wsdhq {

// Larger score first, then lower position: a total order, so that shards merge to one answer.
inline bool is_better(const SearchResult& a, const SearchResult& b) {
    // Without branches: in a heap they would be guessed wrongly half the time.
    return static_cast<bool>(
        static_cast<int>(a.score > b.score) |
        (static_cast<int>(a.score == b.score) & static_cast<int>(a.position < b.position)));
}

// Keeps its heap in the arrays that the results are for: a large k needs no memory beside them.
class TopResults {
public:
    // `capacity`, at least 1, places in each array.
    TopResults(float* scores, std::int64_t* positions, std::size_t capacity)
        : scores_(scores), positions_(positions), capacity_(capacity) {}

    std::size_t size() const { return size_; }
    bool is_full() const { return size_ == capacity_; }
    // The worst score kept, once full: a later position must have more.
    float worst_score() const { return scores_[0]; }

    void offer(const SearchResult& result) {
        if (size_ < capacity_) {
            put(size_++, result);
            if (size_ == capacity_) {
                make_heap();
            }
        } else if (is_better(result, at(0))) {
            sift_down(0, size_, result);
        }
    }

    void merge(const TopResults& other) {
        for (std::size_t i = 0; i < other.size_; ++i) {
            offer(other.at(i));
        }
    }

    // Puts the results in order, the best first. Offers are over after this. Up to `most_copied`
    // results are sorted in a copy, which is faster.
    void sort(std::size_t most_copied) {
        if (size_ <= most_copied) {
            std::vector<SearchResult> copy(size_);
            for (std::size_t i = 0; i < size_; ++i) {
                copy[i] = at(i);
            }
            std::sort(copy.begin(), copy.end(), is_better);
            for (std::size_t i = 0; i < size_; ++i) {
                put(i, copy[i]);
            }
            return;
        }
        if (size_ < capacity_) {
            make_heap();
        }
        for (std::size_t end = size_ - 1; end > 0; --end) {
            const SearchResult moved = at(end);
            put(end, at(0));
            sift_down(0, end, moved);
        }
    }

private:
    SearchResult at(std::size_t i) const { return {scores_[i], positions_[i]}; }
    void put(std::size_t i, const SearchResult& result) {
        scores_[i] = result.score;
        positions_[i] = result.position;
    }

    void make_heap() {
        for (std::size_t i = size_ / 2; i-- > 0;) {
            sift_down(i, size_, at(i));
        }
    }

    // Puts `result` at `hole` of the first `end` places or below it, where the order wants it.
    void sift_down(std::size_t hole, std::size_t end, const SearchResult& result) {
        std::size_t child = 2 * hole + 1;
        for (; child + 1 < end; child = 2 * hole + 1) {
            child += static_cast<std::size_t>(is_better(at(child), at(child + 1)));
            if (!is_better(result, at(child))) {
                put(hole, result);
                return;
            }
            put(hole, at(child));
            hole = child;
        }
        if (child < end && is_better(result, at(child))) {
            put(hole, at(child));
            hole = child;
        }
        put(hole, result);
    }

    float* scores_;
    std::int64_t* positions_;
    std::size_t capacity_;
    std::size_t size_ = 0;
};

}  // namespace wsdhq
