// OpenMP, or the one thread of a build without it.
#pragma once

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

// As many threads as there are pieces of work, at most `threads`, at least one.
inline int useful_threads(int threads, std::size_t pieces) {
    if (threads < 1 || pieces < 2) {
        return 1;
    }
    return pieces < static_cast<std::size_t>(threads) ? static_cast<int>(pieces) : threads;
}

}  // namespace wsdhq
