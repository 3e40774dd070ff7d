// Inner products in AVX-512: a panel is one register, two panels and eight rows at once.
#include <immintrin.h>

#include "product_kernels.hpp"

namespace wsdhq::kernels {
namespace {

static_assert(kPanelWidth == 16);

// `width` columns from the first panel on, up to Panels * kPanelWidth.
template <std::size_t Rows, std::size_t Panels>
void panel_products(const float* vectors, std::size_t dim, const float* panel, std::size_t width,
                    float* products, std::size_t num_columns) {
    __m512 sums[Rows][Panels];
    for (std::size_t row = 0; row < Rows; ++row) {
        for (std::size_t p = 0; p < Panels; ++p) {
            sums[row][p] = _mm512_setzero_ps();
        }
    }
    for (std::size_t d = 0; d < dim; ++d) {
        __m512 weights[Panels];
#pragma GCC unroll 2
        for (std::size_t p = 0; p < Panels; ++p) {
            weights[p] = _mm512_loadu_ps(panel + (p * dim + d) * kPanelWidth);
        }
#pragma GCC unroll 8
        for (std::size_t row = 0; row < Rows; ++row) {
            const __m512 value = _mm512_set1_ps(vectors[row * dim + d]);
#pragma GCC unroll 2
            for (std::size_t p = 0; p < Panels; ++p) {
                sums[row][p] = _mm512_add_ps(sums[row][p], _mm512_mul_ps(value, weights[p]));
            }
        }
    }
    for (std::size_t p = 0; p < Panels; ++p) {
        const std::size_t left = width - p * kPanelWidth;
        const __mmask16 columns = left < kPanelWidth ? static_cast<__mmask16>((1u << left) - 1u)
                                                     : static_cast<__mmask16>(0xFFFFu);
        for (std::size_t row = 0; row < Rows; ++row) {
            _mm512_mask_storeu_ps(products + row * num_columns + p * kPanelWidth, columns,
                                  sums[row][p]);
        }
    }
}

template <std::size_t Panels>
void all_rows(const float* vectors, std::size_t num_vectors, std::size_t dim, const float* panel,
              std::size_t width, float* products, std::size_t num_columns) {
    constexpr std::size_t rows = 8;
    std::size_t n = 0;
    for (; n + rows <= num_vectors; n += rows) {
        panel_products<rows, Panels>(vectors + n * dim, dim, panel, width,
                                     products + n * num_columns, num_columns);
    }
    for (; n + 2 <= num_vectors; n += 2) {
        panel_products<2, Panels>(vectors + n * dim, dim, panel, width, products + n * num_columns,
                                  num_columns);
    }
    for (; n < num_vectors; ++n) {
        panel_products<1, Panels>(vectors + n * dim, dim, panel, width, products + n * num_columns,
                                  num_columns);
    }
}

void inner_products(const float* vectors, std::size_t num_vectors, std::size_t dim,
                    const float* packed, std::size_t num_columns, float* products) {
    std::size_t first = 0;
    for (; num_columns - first > kPanelWidth; first += 2 * kPanelWidth) {
        const std::size_t left = num_columns - first;
        all_rows<2>(vectors, num_vectors, dim, packed + first * dim,
                    left < 2 * kPanelWidth ? left : 2 * kPanelWidth, products + first, num_columns);
        if (left <= 2 * kPanelWidth) {
            return;
        }
    }
    all_rows<1>(vectors, num_vectors, dim, packed + first * dim, num_columns - first,
                products + first, num_columns);
}

}  // namespace

const ProductKernels& product_kernels_avx512() {
    static constexpr ProductKernels kernels{inner_products};
    return kernels;
}

}  // namespace wsdhq::kernels
