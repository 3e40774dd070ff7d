// Cholesky factorization in blocks, for the codebook solve (method section 4) and for the check of
// a metric. Our own, since a BLAS brings threads and buffers of its own: OpenBLAS asks for ever
// where there is no memory for them.
#pragma once

#include <cstddef>
#include <vector>

#include "wsdhq/aligned.hpp"
#include "wsdhq/cpu.hpp"
#include "wsdhq/interrupt.hpp"

namespace wsdhq {

// L with L L^T = matrix + ridge I, made from the lower half of the matrix, a column of blocks after
// the other. Right-hand sides ride along as further rows, so that L y = right is solved with it.
// Results do not depend on the number of threads, nor on the level.
class Cholesky {
public:
    // `matrix` (size, size), symmetric, of std::int64_t or double; `right` (size, dim). Holds half
    // of the matrix and the right-hand sides in double. Throws Cancelled.
    template <typename Number>
    Cholesky(const Number* matrix, std::size_t size, double ridge, const double* right,
             std::size_t dim, int threads, const kernels::KernelTable& kernels,
             Interrupt& interrupt);

    // Whether there is such an L in double: a pivot that is nothing but rounding makes none.
    bool is_positive_definite() const { return pivot_ == size_; }

    // Writes x (size, dim) with (matrix + ridge I) x = right, once; only if positive definite.
    // Throws Cancelled.
    void solve(int threads, Interrupt& interrupt, double* out);

    // v^T matrix v / v^T v, without the ridge, of a vector that shows that matrix + ridge I is not
    // positive definite: no eigenvalue that is the least can be above it. Only if it is not.
    double quotient() const;

private:
    std::size_t size_;
    std::size_t dim_;
    double ridge_;
    const kernels::SolveKernels* kernels_;
    std::size_t columns_;  // of blocks
    std::size_t sides_;    // blocks of right-hand sides, a row each
    // Column by column, the blocks from the diagonal down, then those of the right-hand sides.
    std::vector<AlignedVector<double>> panels_;
    std::size_t pivot_;  // the first that failed, or size
    double pivot_value_ = 0.0;

    double* block(std::size_t column, std::size_t row) {
        return panels_[column].data() +
               (row - column) * kernels::kSolveBlock * kernels::kSolveBlock;
    }
    const double* block(std::size_t column, std::size_t row) const {
        return panels_[column].data() +
               (row - column) * kernels::kSolveBlock * kernels::kSolveBlock;
    }
    double entry(std::size_t row, std::size_t column) const;
    template <typename Number>
    void fill(const Number* matrix, const double* right, std::size_t column, std::size_t row);
    std::size_t factorize_diagonal(std::size_t column, const double* diagonal);
};

}  // namespace wsdhq
