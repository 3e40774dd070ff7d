// Inner products in AVX2: a panel is two registers, six rows share it.
#include <immintrin.h>

#include "product_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kLanes = 8;
static_assert(kPanelWidth == 2 * kLanes);

template <std::size_t Rows>
void panel_products(const float* vectors, std::size_t dim, const float* panel, std::size_t width,
                    float* products, std::size_t num_columns) {
    __m256 sums[Rows][2];
    for (std::size_t row = 0; row < Rows; ++row) {
        sums[row][0] = sums[row][1] = _mm256_setzero_ps();
    }
    for (std::size_t d = 0; d < dim; ++d) {
        const __m256 left = _mm256_loadu_ps(panel + d * kPanelWidth);
        const __m256 right = _mm256_loadu_ps(panel + d * kPanelWidth + kLanes);
#pragma GCC unroll 6
        for (std::size_t row = 0; row < Rows; ++row) {
            const __m256 value = _mm256_broadcast_ss(vectors + row * dim + d);
            sums[row][0] = _mm256_add_ps(sums[row][0], _mm256_mul_ps(value, left));
            sums[row][1] = _mm256_add_ps(sums[row][1], _mm256_mul_ps(value, right));
        }
    }
    for (std::size_t row = 0; row < Rows; ++row) {
        float* out = products + row * num_columns;
        if (width == kPanelWidth) {
            _mm256_storeu_ps(out, sums[row][0]);
            _mm256_storeu_ps(out + kLanes, sums[row][1]);
        } else {
            float values[kPanelWidth];
            _mm256_storeu_ps(values, sums[row][0]);
            _mm256_storeu_ps(values + kLanes, sums[row][1]);
            for (std::size_t column = 0; column < width; ++column) {
                out[column] = values[column];
            }
        }
    }
}

void inner_products(const float* vectors, std::size_t num_vectors, std::size_t dim,
                    const float* packed, std::size_t num_columns, float* products) {
    constexpr std::size_t rows = 6;
    for (std::size_t first = 0; first < num_columns; first += kPanelWidth) {
        const float* panel = packed + first * dim;
        const std::size_t left = num_columns - first;
        const std::size_t width = left < kPanelWidth ? left : kPanelWidth;
        std::size_t n = 0;
        for (; n + rows <= num_vectors; n += rows) {
            panel_products<rows>(vectors + n * dim, dim, panel, width,
                                 products + n * num_columns + first, num_columns);
        }
        for (; n + 2 <= num_vectors; n += 2) {
            panel_products<2>(vectors + n * dim, dim, panel, width,
                              products + n * num_columns + first, num_columns);
        }
        for (; n < num_vectors; ++n) {
            panel_products<1>(vectors + n * dim, dim, panel, width,
                              products + n * num_columns + first, num_columns);
        }
    }
}

}  // namespace

const ProductKernels& product_kernels_avx2() {
    static constexpr ProductKernels kernels{inner_products};
    return kernels;
}

}  // namespace wsdhq::kernels
