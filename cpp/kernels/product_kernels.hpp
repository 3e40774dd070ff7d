// Inner products of vectors with a packed matrix: one function per level.
#pragma once

#include <cstddef>

namespace wsdhq::kernels {

// Columns of a packed right-hand side are stored in panels of this many, zero-padded.
inline constexpr std::size_t kPanelWidth = 16;

struct ProductKernels {
    // Inner products of vectors with the columns of a packed matrix.
    //   vectors  (num_vectors, dim)
    //   packed   (ceil(num_columns / kPanelWidth), dim, kPanelWidth)
    //   products (num_vectors, num_columns), written
    // products[n, c] = sum_d vectors[n, d] * packed[c / W, d, c % W], d ascending from 0, each
    // product rounded to float before it is added: the order that makes every level equal.
    void (*inner_products)(const float* vectors, std::size_t num_vectors, std::size_t dim,
                           const float* packed, std::size_t num_columns, float* products);
};

const ProductKernels& product_kernels_scalar();
const ProductKernels& product_kernels_avx2();
const ProductKernels& product_kernels_avx512();
const ProductKernels& product_kernels_neon();

}  // namespace wsdhq::kernels
