// OpenMP, or the one thread of a build without it.
#pragma once

#include <algorithm>
#include <cstddef>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace wsdhq {

inline int thread_number() {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

// As many threads as there are pieces of work and as `operations` (additions or look-ups, about)
// are worth, at most `threads`, at least one. Waking a thread costs what about 10^5 operations do,
// and far more where other programs keep the cores busy.
inline int useful_threads(int threads, std::size_t pieces, std::size_t operations) {
    constexpr std::size_t worth_a_thread = 1'000'000;
    const std::size_t useful = std::min(pieces, operations / worth_a_thread);
    if (threads < 2 || useful < 2) {
        return 1;
    }
    return static_cast<int>(std::min(useful, static_cast<std::size_t>(threads)));
}

}  // namespace wsdhq
