// The sweeps of the encoder (method section 4).
#pragma once

#include <cstddef>
#include <cstdint>

namespace wsdhq::kernels {

struct EncodeKernels {
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
};

const EncodeKernels& encode_kernels_scalar();

}  // namespace wsdhq::kernels
