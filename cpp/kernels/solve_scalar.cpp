// Blocks of a factorization in the instructions of the baseline: the definition.
#include "solve_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kSize = kSolveBlock;

void subtract_product(const double* left, const double* right, double* block) {
    for (std::size_t i = 0; i < kSize; ++i) {
        double* row = block + i * kSize;
        for (std::size_t k = 0; k < kSize; ++k) {
            const double factor = left[i * kSize + k];
            const double* others = right + k * kSize;
            for (std::size_t j = 0; j < kSize; ++j) {
                row[j] -= factor * others[j];
            }
        }
    }
}

void divide_rows(const double* above, const double* diagonal, std::size_t num_rows, double* rows) {
    for (std::size_t i = 0; i < num_rows; ++i) {
        double* row = rows + i * kSize;
        for (std::size_t k = 0; k < kSize; ++k) {
            const double value = row[k] / diagonal[k];
            for (std::size_t j = k / kSolveStep * kSolveStep; j < kSize; ++j) {
                row[j] -= value * above[k * kSize + j];
            }
            row[k] = value;
        }
    }
}

}  // namespace

const SolveKernels& solve_kernels_scalar() {
    static constexpr SolveKernels kernels{subtract_product, divide_rows};
    return kernels;
}

}  // namespace wsdhq::kernels
