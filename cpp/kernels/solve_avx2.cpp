// Blocks of a factorization in AVX2: 4 rows share what is loaded of the other block.
#include <immintrin.h>

#include "solve_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kSize = kSolveBlock;
constexpr std::size_t kLanes = 4;
constexpr std::size_t kRows = 4;
constexpr std::size_t kRegisters = 2;  // of a row, at once

// Two instructions: one that is fused would round once instead of twice.
inline __m256d minus_product(__m256d from, __m256d a, __m256d b) {
    return _mm256_sub_pd(from, _mm256_mul_pd(a, b));
}

void subtract_product(const double* left, const double* right, double* block) {
    for (std::size_t j = 0; j < kSize; j += kRegisters * kLanes) {
        for (std::size_t i = 0; i < kSize; i += kRows) {
            __m256d sums[kRows][kRegisters];
#pragma GCC unroll 4
            for (std::size_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
                for (std::size_t r = 0; r < kRegisters; ++r) {
                    sums[row][r] = _mm256_loadu_pd(block + (i + row) * kSize + j + r * kLanes);
                }
            }
            for (std::size_t k = 0; k < kSize; ++k) {
                __m256d others[kRegisters];
#pragma GCC unroll 2
                for (std::size_t r = 0; r < kRegisters; ++r) {
                    others[r] = _mm256_loadu_pd(right + k * kSize + j + r * kLanes);
                }
#pragma GCC unroll 4
                for (std::size_t row = 0; row < kRows; ++row) {
                    const __m256d factor = _mm256_set1_pd(left[(i + row) * kSize + k]);
#pragma GCC unroll 2
                    for (std::size_t r = 0; r < kRegisters; ++r) {
                        sums[row][r] = minus_product(sums[row][r], factor, others[r]);
                    }
                }
            }
#pragma GCC unroll 4
            for (std::size_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
                for (std::size_t r = 0; r < kRegisters; ++r) {
                    _mm256_storeu_pd(block + (i + row) * kSize + j + r * kLanes, sums[row][r]);
                }
            }
        }
    }
}

// Divides `Count` rows side by side: each waits for its own divisions only.
template <std::size_t Count>
void divide_some(const double* above, const double* diagonal, double* rows) {
    for (std::size_t k = 0; k < kSize; ++k) {
        double values[Count];
        __m256d factors[Count];
        for (std::size_t i = 0; i < Count; ++i) {
            values[i] = rows[i * kSize + k] / diagonal[k];
            factors[i] = _mm256_set1_pd(values[i]);
        }
        for (std::size_t j = k / kSolveStep * kSolveStep; j < kSize; j += kLanes) {
            const __m256d others = _mm256_loadu_pd(above + k * kSize + j);
            for (std::size_t i = 0; i < Count; ++i) {
                double* place = rows + i * kSize + j;
                _mm256_storeu_pd(place, minus_product(_mm256_loadu_pd(place), factors[i], others));
            }
        }
        for (std::size_t i = 0; i < Count; ++i) {
            rows[i * kSize + k] = values[i];
        }
    }
}

void divide_rows(const double* above, const double* diagonal, std::size_t num_rows, double* rows) {
    std::size_t i = 0;
    for (; i + 4 <= num_rows; i += 4) {
        divide_some<4>(above, diagonal, rows + i * kSize);
    }
    for (; i < num_rows; ++i) {
        divide_some<1>(above, diagonal, rows + i * kSize);
    }
}

}  // namespace

const SolveKernels& solve_kernels_avx2() {
    static constexpr SolveKernels kernels{subtract_product, divide_rows};
    return kernels;
}

}  // namespace wsdhq::kernels
