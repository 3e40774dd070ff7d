// The look-ups of a search (method section 5).
#pragma once

#include <cstddef>
#include <cstdint>

namespace wsdhq::kernels {

struct SearchKernels {
    // Look-up-table scores of codes (method section 5).
    //   table  (num_codebooks, codebook_size)
    //   codes  (num_vectors, num_codebooks)
    //   scores (num_vectors), written: sum_m table[m, codes[n, m]], m ascending from 0
    void (*look_up_scores)(const float* table, std::size_t num_codebooks, std::size_t codebook_size,
                           const std::uint8_t* codes, std::size_t num_vectors, float* scores);
};

const SearchKernels& search_kernels_scalar();

}  // namespace wsdhq::kernels
