// The k best results of a scan, in a heap whose root is the worst of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "wsdhq/aqd.hpp"

namespace wsdhq {

// Larger score first, then lower position: a total order, so that shards merge to one answer.
inline bool is_better(const SearchResult& a, const SearchResult& b) {
    return a.score > b.score || (a.score == b.score && a.position < b.position);
}

class TopResults {
public:
    explicit TopResults(std::size_t capacity) : capacity_(capacity) { heap_.reserve(capacity); }
    TopResults(const TopResults& other) : capacity_(other.capacity_), heap_(other.heap_) {
        heap_.reserve(capacity_);  // a copied vector keeps no spare room; offer must not allocate
    }
    TopResults& operator=(const TopResults&) = delete;

    void offer(const SearchResult& result) {
        if (heap_.size() < capacity_) {
            heap_.push_back(result);
            std::push_heap(heap_.begin(), heap_.end(), is_better);
        } else if (is_better(result, heap_.front())) {
            std::pop_heap(heap_.begin(), heap_.end(), is_better);
            heap_.back() = result;
            std::push_heap(heap_.begin(), heap_.end(), is_better);
        }
    }

    void merge(const TopResults& other) {
        for (const SearchResult& result : other.heap_) {
            offer(result);
        }
    }

    // Best first. Offers are over after this.
    const std::vector<SearchResult>& sorted() {
        std::sort(heap_.begin(), heap_.end(), is_better);
        return heap_;
    }

private:
    std::size_t capacity_;
    std::vector<SearchResult> heap_;
};

}  // namespace wsdhq
