// Norms of reconstructions, from their codes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wsdhq/aqd.hpp"

namespace wsdhq {

// Codes that code_norms takes at once.
inline constexpr std::size_t kNormBatch = 8;

// |x^|^2 (l2) or |x^| (cosine) of up to kNormBatch codes, rounded to float from sums in double:
// codebooks ascending within a dimension, then dimensions ascending. A code beyond the codebook
// counts as its last codeword.
//   codes (count, num_codebooks)
//   norms (count), written
void code_norms(CodebooksView codebooks, Similarity similarity, const std::uint8_t* codes,
                std::size_t count, float* norms);

}  // namespace wsdhq
