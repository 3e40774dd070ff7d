// Blocks of a factorization in NEON: 4 rows share what is loaded of the other block.
#include <arm_neon.h>

#include "solve_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kSize = kSolveBlock;
constexpr std::size_t kLanes = 2;
constexpr std::size_t kRows = 4;
constexpr std::size_t kRegisters = 4;  // of a row, at once

// Two instructions: one that is fused would round once instead of twice.
inline float64x2_t minus_product(float64x2_t from, float64x2_t a, float64x2_t b) {
    return vsubq_f64(from, vmulq_f64(a, b));
}

void subtract_product(const double* left, const double* right, double* block) {
    for (std::size_t j = 0; j < kSize; j += kRegisters * kLanes) {
        for (std::size_t i = 0; i < kSize; i += kRows) {
            float64x2_t sums[kRows][kRegisters];
#pragma GCC unroll 4
            for (std::size_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
                for (std::size_t r = 0; r < kRegisters; ++r) {
                    sums[row][r] = vld1q_f64(block + (i + row) * kSize + j + r * kLanes);
                }
            }
            for (std::size_t k = 0; k < kSize; ++k) {
                float64x2_t others[kRegisters];
#pragma GCC unroll 4
                for (std::size_t r = 0; r < kRegisters; ++r) {
                    others[r] = vld1q_f64(right + k * kSize + j + r * kLanes);
                }
#pragma GCC unroll 4
                for (std::size_t row = 0; row < kRows; ++row) {
                    const float64x2_t factor = vdupq_n_f64(left[(i + row) * kSize + k]);
#pragma GCC unroll 4
                    for (std::size_t r = 0; r < kRegisters; ++r) {
                        sums[row][r] = minus_product(sums[row][r], factor, others[r]);
                    }
                }
            }
#pragma GCC unroll 4
            for (std::size_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 4
                for (std::size_t r = 0; r < kRegisters; ++r) {
                    vst1q_f64(block + (i + row) * kSize + j + r * kLanes, sums[row][r]);
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
        float64x2_t factors[Count];
        for (std::size_t i = 0; i < Count; ++i) {
            values[i] = rows[i * kSize + k] / diagonal[k];
            factors[i] = vdupq_n_f64(values[i]);
        }
        for (std::size_t j = k / kSolveStep * kSolveStep; j < kSize; j += kLanes) {
            const float64x2_t others = vld1q_f64(above + k * kSize + j);
            for (std::size_t i = 0; i < Count; ++i) {
                double* place = rows + i * kSize + j;
                vst1q_f64(place, minus_product(vld1q_f64(place), factors[i], others));
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

const SolveKernels& solve_kernels_neon() {
    static constexpr SolveKernels kernels{subtract_product, divide_rows};
    return kernels;
}

}  // namespace wsdhq::kernels
