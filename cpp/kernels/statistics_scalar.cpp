// Sums of chosen vectors in the instructions of the baseline: the definition.
#include "compiler.hpp"
#include "statistics_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kLanes = 2;
constexpr std::size_t kRegisters = 8;  // the sums that fill half the registers
constexpr std::size_t kWidth = kRegisters * kLanes;

void add_rows(const float* vectors, std::size_t stride, const std::uint16_t* rows,
              std::size_t num_rows, std::size_t dim, double* sums) {
    std::size_t first = 0;
    for (; first + kWidth <= dim; first += kWidth) {
        DoublePair lanes[kRegisters];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < kRegisters; ++r) {
            lanes[r] = *reinterpret_cast<const DoublePair*>(sums + first + r * kLanes);
        }
        for (std::size_t i = 0; i < num_rows; ++i) {
            const float* vector = vectors + rows[i] * stride + first;
#pragma GCC unroll 8
            for (std::size_t r = 0; r < kRegisters; ++r) {
                lanes[r] += widened(vector + r * kLanes);
            }
        }
#pragma GCC unroll 8
        for (std::size_t r = 0; r < kRegisters; ++r) {
            *reinterpret_cast<DoublePair*>(sums + first + r * kLanes) = lanes[r];
        }
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

const StatisticsKernels& statistics_kernels_scalar() {
    static constexpr StatisticsKernels kernels{add_rows};
    return kernels;
}

}  // namespace wsdhq::kernels
