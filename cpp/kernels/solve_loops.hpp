// The loops on blocks of a factorization, for every level: some rows share what is loaded of the
// other block. Everything is internal to the file that includes it.
//
// `Lanes` is what a level has: a Vector of kCount numbers, kRows rows and kRegisters vectors of a
// row at once, and load, store, spread, and minus_product, whose two steps are rounded one by one.
#pragma once

#include "solve_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kSize = kSolveBlock;

template <typename Lanes>
void subtract_product(const double* left, const double* right, double* block) {
    for (std::size_t j = 0; j < kSize; j += Lanes::kRegisters * Lanes::kCount) {
        for (std::size_t i = 0; i < kSize; i += Lanes::kRows) {
            typename Lanes::Vector sums[Lanes::kRows][Lanes::kRegisters];
#pragma GCC unroll 8
            for (std::size_t row = 0; row < Lanes::kRows; ++row) {
#pragma GCC unroll 4
                for (std::size_t r = 0; r < Lanes::kRegisters; ++r) {
                    sums[row][r] = Lanes::load(block + (i + row) * kSize + j + r * Lanes::kCount);
                }
            }
            for (std::size_t k = 0; k < kSize; ++k) {
                typename Lanes::Vector others[Lanes::kRegisters];
#pragma GCC unroll 4
                for (std::size_t r = 0; r < Lanes::kRegisters; ++r) {
                    others[r] = Lanes::load(right + k * kSize + j + r * Lanes::kCount);
                }
#pragma GCC unroll 8
                for (std::size_t row = 0; row < Lanes::kRows; ++row) {
                    const typename Lanes::Vector factor =
                        Lanes::spread(left[(i + row) * kSize + k]);
#pragma GCC unroll 4
                    for (std::size_t r = 0; r < Lanes::kRegisters; ++r) {
                        sums[row][r] = Lanes::minus_product(sums[row][r], factor, others[r]);
                    }
                }
            }
#pragma GCC unroll 8
            for (std::size_t row = 0; row < Lanes::kRows; ++row) {
#pragma GCC unroll 4
                for (std::size_t r = 0; r < Lanes::kRegisters; ++r) {
                    Lanes::store(block + (i + row) * kSize + j + r * Lanes::kCount, sums[row][r]);
                }
            }
        }
    }
}

// Divides `Count` rows side by side: each waits for its own divisions only.
template <typename Lanes, std::size_t Count>
void divide_some(const double* above, const double* diagonal, double* rows) {
    for (std::size_t k = 0; k < kSize; ++k) {
        double values[Count];
        typename Lanes::Vector factors[Count];
        for (std::size_t i = 0; i < Count; ++i) {
            values[i] = rows[i * kSize + k] / diagonal[k];
            factors[i] = Lanes::spread(values[i]);
        }
        for (std::size_t j = k / kSolveStep * kSolveStep; j < kSize; j += Lanes::kCount) {
            const typename Lanes::Vector others = Lanes::load(above + k * kSize + j);
            for (std::size_t i = 0; i < Count; ++i) {
                double* place = rows + i * kSize + j;
                Lanes::store(place, Lanes::minus_product(Lanes::load(place), factors[i], others));
            }
        }
        for (std::size_t i = 0; i < Count; ++i) {
            rows[i * kSize + k] = values[i];
        }
    }
}

template <typename Lanes>
void divide_rows(const double* above, const double* diagonal, std::size_t num_rows, double* rows) {
    std::size_t i = 0;
    for (; i + 4 <= num_rows; i += 4) {
        divide_some<Lanes, 4>(above, diagonal, rows + i * kSize);
    }
    for (; i < num_rows; ++i) {
        divide_some<Lanes, 1>(above, diagonal, rows + i * kSize);
    }
}

// The table of a level.
template <typename Lanes>
constexpr SolveKernels solve_kernels_with() {
    return {subtract_product<Lanes>, divide_rows<Lanes>};
}

}  // namespace
}  // namespace wsdhq::kernels
