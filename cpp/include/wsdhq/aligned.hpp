// Vectors whose data begin on a cache line: a load as wide as one then touches one, not two.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace wsdhq {

template <typename T>
struct CacheLineAllocator {
    using value_type = T;
    static constexpr std::align_val_t kLine{64};

    CacheLineAllocator() = default;
    template <typename Other>
    CacheLineAllocator(const CacheLineAllocator<Other>&) {}

    T* allocate(std::size_t count) {
        if (count > static_cast<std::size_t>(-1) / sizeof(T)) {
            throw std::bad_array_new_length();
        }
        return static_cast<T*>(::operator new(count * sizeof(T), kLine));
    }
    void deallocate(T* data, std::size_t) { ::operator delete(data, kLine); }

    template <typename Other>
    bool operator==(const CacheLineAllocator<Other>&) const {
        return true;
    }
};

template <typename T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

}  // namespace wsdhq
