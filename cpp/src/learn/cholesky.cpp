#include "wsdhq/cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/parallel.hpp"

namespace wsdhq {
namespace {

using kernels::kSolveBlock;

constexpr std::size_t kEntries = kSolveBlock * kSolveBlock;

void turn(const double* from, double* to) {
    for (std::size_t i = 0; i < kSolveBlock; ++i) {
        for (std::size_t j = 0; j < kSolveBlock; ++j) {
            to[j * kSolveBlock + i] = from[i * kSolveBlock + j];
        }
    }
}

// A triangle as SolveKernels::divide_rows wants it.
struct Triangle {
    AlignedVector<double> above = AlignedVector<double>(kEntries, 0.0);
    AlignedVector<double> diagonal = AlignedVector<double>(kSolveBlock);

    // The transpose of a lower triangle: what stands to the right of its rows.
    void set_transposed(const double* lower) {
        for (std::size_t k = 0; k < kSolveBlock; ++k) {
            diagonal[k] = lower[k * kSolveBlock + k];
            for (std::size_t j = k + 1; j < kSolveBlock; ++j) {
                above[k * kSolveBlock + j] = lower[j * kSolveBlock + k];
            }
        }
    }
    // A lower triangle from its last row and column to its first, which makes it an upper one.
    void set_reversed(const double* lower) {
        constexpr std::size_t last = kSolveBlock - 1;
        for (std::size_t k = 0; k < kSolveBlock; ++k) {
            diagonal[k] = lower[(last - k) * kSolveBlock + last - k];
            for (std::size_t j = k + 1; j < kSolveBlock; ++j) {
                above[k * kSolveBlock + j] = lower[(last - k) * kSolveBlock + last - j];
            }
        }
    }
};

void reverse_rows(double* block) {
    for (std::size_t i = 0; i < kSolveBlock; ++i) {
        std::reverse(block + i * kSolveBlock, block + (i + 1) * kSolveBlock);
    }
}

}  // namespace

template <typename Number>
Cholesky::Cholesky(const Number* matrix, std::size_t size, double ridge, const double* right,
                   std::size_t dim, int threads, const kernels::KernelTable& kernels,
                   Interrupt& interrupt)
    : size_(size),
      dim_(dim),
      ridge_(ridge),
      kernels_(&kernels.solve),
      columns_((size + kSolveBlock - 1) / kSolveBlock),
      sides_((dim + kSolveBlock - 1) / kSolveBlock),
      panels_(columns_),
      pivot_(size) {
    const std::size_t all = columns_ + sides_;
    for (std::size_t column = 0; column < columns_; ++column) {
        panels_[column].resize((all - column) * kEntries);
        interrupt.throw_if_requested();
    }
    AlignedVector<double> turned(columns_ * kEntries);
    Triangle triangle;
    for (std::size_t column = 0; column < columns_; ++column) {
        const std::size_t work = (all - column) * (column + 1) * kEntries * kSolveBlock / 4;
        const int useful = useful_threads(threads, all - column, work);
        for_each_contiguous(useful, column, [&](std::size_t earlier) {
            turn(block(earlier, column), turned.data() + earlier * kEntries);
        });
        for_each_piece(useful, all - column, [&](std::size_t piece) {
            const std::size_t row = column + piece;
            fill(matrix, right, column, row);
            for (std::size_t earlier = 0; earlier < column; ++earlier) {
                if (earlier % 64 == 0 && interrupt.requested(thread_number() == 0)) {
                    return;
                }
                kernels_->subtract_product(block(earlier, row), turned.data() + earlier * kEntries,
                                           block(column, row));
            }
        });
        interrupt.throw_if_requested();
        double diagonal[kSolveBlock];
        for (std::size_t k = 0; k < kSolveBlock; ++k) {
            const std::size_t i = column * kSolveBlock + k;
            diagonal[k] = i < size ? static_cast<double>(matrix[i * size + i]) + ridge : 1.0;
        }
        const std::size_t failed = factorize_diagonal(column, diagonal);
        if (failed < kSolveBlock) {
            pivot_ = column * kSolveBlock + failed;
            return;
        }
        triangle.set_transposed(block(column, column));
        for_each_piece(useful, all - column - 1, [&](std::size_t piece) {
            kernels_->divide_rows(triangle.above.data(), triangle.diagonal.data(), kSolveBlock,
                                  block(column, column + 1 + piece));
        });
    }
}

template Cholesky::Cholesky(const std::int64_t*, std::size_t, double, const double*, std::size_t,
                            int, const kernels::KernelTable&, Interrupt&);
template Cholesky::Cholesky(const double*, std::size_t, double, const double*, std::size_t, int,
                            const kernels::KernelTable&, Interrupt&);

// Beyond the matrix stands the identity, so that it is no singular one.
template <typename Number>
void Cholesky::fill(const Number* matrix, const double* right, std::size_t column,
                    std::size_t row) {
    double* to = block(column, row);
    const std::size_t first = column * kSolveBlock;
    const std::size_t width = std::min(kSolveBlock, size_ - first);
    std::fill(to, to + kEntries, 0.0);
    if (row >= columns_) {
        const std::size_t side = (row - columns_) * kSolveBlock;
        const std::size_t count = std::min(kSolveBlock, dim_ - side);
        for (std::size_t j = 0; j < width; ++j) {
            for (std::size_t i = 0; i < count; ++i) {
                to[i * kSolveBlock + j] = right[(first + j) * dim_ + side + i];
            }
        }
        return;
    }
    const std::size_t begin = row * kSolveBlock;
    const std::size_t count = std::min(kSolveBlock, size_ - begin);
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
            to[i * kSolveBlock + j] = static_cast<double>(matrix[(begin + i) * size_ + first + j]);
        }
    }
    for (std::size_t i = 0; row == column && i < kSolveBlock; ++i) {
        double& entry = to[i * kSolveBlock + i];
        entry = i < count ? entry + ridge_ : 1.0;
    }
}

// Gives the place of a pivot that is nothing but rounding beside `diagonal`, what stood there at
// first; or kSolveBlock.
std::size_t Cholesky::factorize_diagonal(std::size_t column, const double* diagonal) {
    double* lower = block(column, column);
    double factors[kSolveBlock] = {};
    for (std::size_t k = 0; k < kSolveBlock; ++k) {
        const double value = lower[k * kSolveBlock + k];
        if (!(value > std::numeric_limits<double>::epsilon() * diagonal[k])) {
            pivot_value_ = value;
            return k;
        }
        const double root = std::sqrt(value);
        lower[k * kSolveBlock + k] = root;
        for (std::size_t i = k + 1; i < kSolveBlock; ++i) {
            factors[i] = lower[i * kSolveBlock + k] / root;
            lower[i * kSolveBlock + k] = factors[i];
        }
        for (std::size_t i = k + 1; i < kSolveBlock; ++i) {
            for (std::size_t j = k + 1; j <= i; ++j) {
                lower[i * kSolveBlock + j] -= factors[i] * factors[j];
            }
        }
    }
    return kSolveBlock;
}

void Cholesky::solve(int threads, Interrupt& interrupt, double* out) {
    Triangle triangle;
    for (std::size_t column = columns_; column-- > 0;) {
        triangle.set_reversed(block(column, column));
        const std::size_t below = columns_ - column - 1;
        const int useful =
            useful_threads(threads, sides_, sides_ * (below + 1) * kEntries * kSolveBlock / 4);
        for_each_piece(useful, sides_, [&](std::size_t side) {
            double* rest = block(column, columns_ + side);
            for (std::size_t row = column + 1; row < columns_; ++row) {
                if (row % 64 == 0 && interrupt.requested(thread_number() == 0)) {
                    return;
                }
                kernels_->subtract_product(block(row, columns_ + side), block(column, row), rest);
            }
            reverse_rows(rest);
            kernels_->divide_rows(triangle.above.data(), triangle.diagonal.data(), kSolveBlock,
                                  rest);
            reverse_rows(rest);
            const std::size_t first = column * kSolveBlock;
            const std::size_t count = std::min(kSolveBlock, dim_ - side * kSolveBlock);
            for (std::size_t j = 0; j < std::min(kSolveBlock, size_ - first); ++j) {
                for (std::size_t i = 0; i < count; ++i) {
                    out[(first + j) * dim_ + side * kSolveBlock + i] = rest[i * kSolveBlock + j];
                }
            }
        });
        interrupt.throw_if_requested();
    }
}

double Cholesky::entry(std::size_t row, std::size_t column) const {
    return block(column / kSolveBlock,
                 row / kSolveBlock)[row % kSolveBlock * kSolveBlock + column % kSolveBlock];
}

// With A the matrix up to the pivot, L L^T = A, and a its row at the pivot, v = (-A^-1 a, 1) has
// v^T (matrix + ridge I) v = the pivot's value. L^-1 a is the pivot's row of L.
double Cholesky::quotient() const {
    std::vector<double> v(pivot_ + 1);
    for (std::size_t j = 0; j < pivot_; ++j) {
        v[j] = -entry(pivot_, j);
    }
    v[pivot_] = 1.0;
    double square = 1.0;
    for (std::size_t row = pivot_; row-- > 0;) {
        v[row] /= entry(row, row);
        square += v[row] * v[row];
        for (std::size_t j = 0; j < row; ++j) {
            v[j] -= entry(row, j) * v[row];
        }
    }
    return pivot_value_ / square - ridge_;
}

}  // namespace wsdhq
