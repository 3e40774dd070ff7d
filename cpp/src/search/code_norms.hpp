// Norms of reconstructions, from their codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "wsdhq/searcher.hpp"

namespace wsdhq {

class CodeNorms {
public:
    CodeNorms(CodebooksView codebooks, Similarity similarity, const kernels::SearchKernels& kernels)
        : codebooks_(codebooks),
          similarity_(similarity),
          kernels_(&kernels),
          codewords_(codebooks.num_codebooks) {}

    // |x^|^2 (l2) or |x^| (cosine), rounded to float from kernels' squared_norm. Code m is at
    // code[m * stride]; one beyond the codebook counts as its last codeword.
    float norm(const std::uint8_t* code, std::size_t stride);

private:
    CodebooksView codebooks_;
    Similarity similarity_;
    const kernels::SearchKernels* kernels_;
    std::vector<const float*> codewords_;
};

}  // namespace wsdhq
