// Blocks of a factorization in double: one function per level.
#pragma once

#include <cstddef>

namespace wsdhq::kernels {

// Rows and columns of a block: three of them fit the second cache, one the first.
inline constexpr std::size_t kSolveBlock = 64;
// Columns of a block are divided in steps of so many, on every level.
inline constexpr std::size_t kSolveStep = 8;

struct SolveKernels {
    // Takes a product of two blocks from a third.
    //   left   (kSolveBlock, kSolveBlock)
    //   right  (kSolveBlock, kSolveBlock)
    //   block  (kSolveBlock, kSolveBlock), updated
    // block[i, j] -= left[i, k] * right[k, j], k ascending from 0, the product rounded before it is
    // subtracted: the order that makes every level equal.
    void (*subtract_product)(const double* left, const double* right, double* block);

    // Divides rows by a triangle: solves x R = row for each, R having `diagonal` on its
    // diagonal, `above` above it and 0 below.
    //   above     (kSolveBlock, kSolveBlock), 0 on and below the diagonal
    //   diagonal  (kSolveBlock)
    //   rows      (num_rows, kSolveBlock), overwritten by the solutions
    // For each row and k ascending: x = row[k] / diagonal[k], then row[j] -= x * above[k, j] for
    // every j from k rounded down to a multiple of kSolveStep, then row[k] = x.
    void (*divide_rows)(const double* above, const double* diagonal, std::size_t num_rows,
                        double* rows);
};

const SolveKernels& solve_kernels_scalar();
const SolveKernels& solve_kernels_avx2();
const SolveKernels& solve_kernels_avx512();
const SolveKernels& solve_kernels_neon();

}  // namespace wsdhq::kernels
