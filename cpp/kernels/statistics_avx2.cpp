// Sums of chosen vectors in AVX2: eight registers of four sums at once.
#include <immintrin.h>

#include "statistics_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kLanes = 4;

template <std::size_t Registers>
void add_columns(const float* vectors, std::size_t stride, const std::uint16_t* rows,
                 std::size_t num_rows, double* sums) {
    __m256d lanes[Registers];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Registers; ++r) {
        lanes[r] = _mm256_loadu_pd(sums + r * kLanes);
    }
    for (std::size_t i = 0; i < num_rows; ++i) {
        const float* vector = vectors + rows[i] * stride;
#pragma GCC unroll 8
        for (std::size_t r = 0; r < Registers; ++r) {
            lanes[r] = _mm256_add_pd(lanes[r], _mm256_cvtps_pd(_mm_loadu_ps(vector + r * kLanes)));
        }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Registers; ++r) {
        _mm256_storeu_pd(sums + r * kLanes, lanes[r]);
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
    for (; first < dim; ++first) {
        double sum = sums[first];
        for (std::size_t i = 0; i < num_rows; ++i) {
            sum += static_cast<double>(vectors[rows[i] * stride + first]);
        }
        sums[first] = sum;
    }
}

}  // namespace

const StatisticsKernels& statistics_kernels_avx2() {
    static constexpr StatisticsKernels kernels{add_rows};
    return kernels;
}

}  // namespace wsdhq::kernels
