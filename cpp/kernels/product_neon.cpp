// Inner products in NEON: a panel is four registers, four rows share it.
#include <arm_neon.h>

#include "product_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kRegisters = kPanelWidth / kLanes;

template <std::size_t Rows>
void panel_products(const float* vectors, std::size_t dim, const float* panel, std::size_t width,
                    float* products, std::size_t num_columns) {
    float32x4_t sums[Rows][kRegisters];
    for (std::size_t row = 0; row < Rows; ++row) {
        for (std::size_t r = 0; r < kRegisters; ++r) {
            sums[row][r] = vdupq_n_f32(0.0f);
        }
    }
    for (std::size_t d = 0; d < dim; ++d) {
        float32x4_t weights[kRegisters];
        for (std::size_t r = 0; r < kRegisters; ++r) {
            weights[r] = vld1q_f32(panel + d * kPanelWidth + r * kLanes);
        }
        for (std::size_t row = 0; row < Rows; ++row) {
            const float32x4_t value = vdupq_n_f32(vectors[row * dim + d]);
            for (std::size_t r = 0; r < kRegisters; ++r) {
                // Two instructions: vmlaq_f32 may be fused, which rounds once instead of twice.
                sums[row][r] = vaddq_f32(sums[row][r], vmulq_f32(value, weights[r]));
            }
        }
    }
    for (std::size_t row = 0; row < Rows; ++row) {
        float values[kPanelWidth];
        for (std::size_t r = 0; r < kRegisters; ++r) {
            vst1q_f32(values + r * kLanes, sums[row][r]);
        }
        for (std::size_t column = 0; column < width; ++column) {
            products[row * num_columns + column] = values[column];
        }
    }
}

void inner_products(const float* vectors, std::size_t num_vectors, std::size_t dim,
                    const float* packed, std::size_t num_columns, float* products) {
    constexpr std::size_t rows = 4;
    for (std::size_t first = 0; first < num_columns; first += kPanelWidth) {
        const float* panel = packed + first * dim;
        const std::size_t left = num_columns - first;
        const std::size_t width = left < kPanelWidth ? left : kPanelWidth;
        std::size_t n = 0;
        for (; n + rows <= num_vectors; n += rows) {
            panel_products<rows>(vectors + n * dim, dim, panel, width,
                                 products + n * num_columns + first, num_columns);
        }
        for (; n < num_vectors; ++n) {
            panel_products<1>(vectors + n * dim, dim, panel, width,
                              products + n * num_columns + first, num_columns);
        }
    }
}

}  // namespace

const ProductKernels& product_kernels_neon() {
    static constexpr ProductKernels kernels{inner_products};
    return kernels;
}

}  // namespace wsdhq::kernels
