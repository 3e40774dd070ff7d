// The table of kernels: every inner loop that a faster instruction set may replace.
//
// Each level (scalar, AVX2, ...) is one file that fills one KernelTable. The scalar level is
// the definition: another level must give the same bytes. Kernels take plain pointers, never
// allocate, throw or start threads, and read exactly the elements their shapes name.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wsdhq::kernels {

// Columns of a packed right-hand side are stored in panels of this many, zero-padded.
inline constexpr std::size_t kPanelWidth = 16;

struct KernelTable {
    const char* name;

    // Inner products of vectors with the columns of a packed matrix.
    //   vectors  (num_vectors, dim)
    //   packed   (ceil(num_columns / kPanelWidth), dim, kPanelWidth)
    //   products (num_vectors, num_columns), written
    // products[n, c] = sum_d vectors[n, d] * packed[c / W, d, c % W], d ascending from 0, each
    // product rounded to float before it is added: the order that makes every level equal.
    void (*inner_products)(const float* vectors, std::size_t num_vectors, std::size_t dim,
                           const float* packed, std::size_t num_columns, float* products);

    // One sweep of iterated conditional modes over one code (method section 4).
    //   unary    (num_codebooks, codebook_size)
    //   pairwise (num_codebooks * codebook_size) squared, symmetric
    //   order    (num_codebooks), the order in which codebooks are visited
    //   costs    (codebook_size), scratch
    //   codes    (num_codebooks), read and written
    // For each codebook m of the order: costs[k] = unary[m, k] + sum over m' != m, ascending, of
    // pairwise[m', codes[m']; m, k]; codes[m] becomes the lowest k of the least cost.
    // Returns how many codes changed.
    std::size_t (*icm_sweep)(const float* unary, const float* pairwise, std::size_t num_codebooks,
                             std::size_t codebook_size, const std::uint32_t* order, float* costs,
                             std::uint8_t* codes);

    // Look-up-table scores of codes (method section 5).
    //   table  (num_codebooks, codebook_size)
    //   codes  (num_vectors, num_codebooks)
    //   scores (num_vectors), written: sum_m table[m, codes[n, m]], m ascending from 0
    void (*look_up_scores)(const float* table, std::size_t num_codebooks, std::size_t codebook_size,
                           const std::uint8_t* codes, std::size_t num_vectors, float* scores);
};

const KernelTable& scalar_kernels();

// The levels that this build holds and this processor runs, the fastest first, ended by nullptr.
const KernelTable* const* supported_kernels();

}  // namespace wsdhq::kernels
