// Sums in double over eight lanes, dimension d in lane d % 8, added in pairs at the end: an order
// that any compiler keeps and any machine can do several at a time.
#pragma once

#include <cstddef>

#include "compiler.hpp"

namespace wsdhq {

using kernels::DoublePair;

inline DoublePair load_pair(const double* from) {
    return *reinterpret_cast<const DoublePair*>(from);
}
inline DoublePair load_pair(const float* from) { return kernels::widened(from); }

// sum_d term(a_d, b_d) for arrays of float or double; `term` takes pairs and plain doubles.
template <typename A, typename B, typename Term>
double sum_in_lanes(const A* a, const B* b, std::size_t dim, Term&& term) {
    constexpr std::size_t pairs = 4;
    DoublePair sums[pairs] = {};
    std::size_t d = 0;
    for (; d + 2 * pairs <= dim; d += 2 * pairs) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < pairs; ++i) {
            sums[i] += term(load_pair(a + d + 2 * i), load_pair(b + d + 2 * i));
        }
    }
    for (std::size_t i = 0; d < dim; ++d, ++i) {
        sums[i / 2][i % 2] += term(static_cast<double>(a[d]), static_cast<double>(b[d]));
    }
    const DoublePair all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return all[0] + all[1];
}

}  // namespace wsdhq
