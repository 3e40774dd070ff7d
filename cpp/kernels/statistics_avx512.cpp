// Sums of chosen vectors in AVX-512: eight registers of eight sums at once.
#include <immintrin.h>

#include "statistics_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kLanes = 8;

// The form with a full mask: GCC 12 takes the plain one for a use of an uninitialized register.
__m512d widen(__m256 values) { return _mm512_maskz_cvtps_pd(0xFF, values); }

template <std::size_t Registers>
void add_columns(const float* vectors, std::size_t stride, const std::uint16_t* rows,
                 std::size_t num_rows, double* sums) {
    __m512d lanes[Registers];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Registers; ++r) {
        lanes[r] = _mm512_loadu_pd(sums + r * kLanes);
    }
    for (std::size_t i = 0; i < num_rows; ++i) {
        const float* vector = vectors + rows[i] * stride;
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Registers; ++r) {
            lanes[r] = _mm512_add_pd(lanes[r], widen(_mm256_loadu_ps(vector + r * kLanes)));
        }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Registers; ++r) {
        _mm512_storeu_pd(sums + r * kLanes, lanes[r]);
    }
}

void add_rows(const float* vectors, std::size_t stride, const std::uint16_t* rows,
              std::size_t num_rows, std::size_t dim, double* sums) {
    constexpr std::size_t registers = 8;
    std::size_t first = 0;
    for (; first + registers * kLanes <= dim; first += registers * kLanes) {
        add_columns<registers>(vectors + first, stride, rows, num_rows, sums + first);
    }
    for (; first + kLanes <= dim; first += kLanes) {
        add_columns<1>(vectors + first, stride, rows, num_rows, sums + first);
    }
    if (first < dim) {
        const auto columns = static_cast<__mmask8>((1u << (dim - first)) - 1u);
        __m512d lanes = _mm512_maskz_loadu_pd(columns, sums + first);
        for (std::size_t i = 0; i < num_rows; ++i) {
            const __m256 values =
                _mm256_maskz_loadu_ps(columns, vectors + rows[i] * stride + first);
            lanes = _mm512_add_pd(lanes, widen(values));
        }
        _mm512_mask_storeu_pd(sums + first, columns, lanes);
    }
}

}  // namespace

const StatisticsKernels& statistics_kernels_avx512() {
    static constexpr StatisticsKernels kernels{add_rows};
    return kernels;
}

}  // namespace wsdhq::kernels
