// Look-ups in the instructions of the baseline: the definition.
#include "search_kernels.hpp"

namespace wsdhq::kernels {
namespace {

void look_up_scores(const float* table, std::size_t num_codebooks, std::size_t codebook_size,
                    const std::uint8_t* codes, std::size_t num_vectors, float* scores) {
    for (std::size_t n = 0; n < num_vectors; ++n) {
        const std::uint8_t* code = codes + n * num_codebooks;
        float score = table[code[0]];
        for (std::size_t m = 1; m < num_codebooks; ++m) {
            score += table[m * codebook_size + code[m]];
        }
        scores[n] = score;
    }
}

}  // namespace

const SearchKernels& search_kernels_scalar() {
    static constexpr SearchKernels kernels{look_up_scores};
    return kernels;
}

}  // namespace wsdhq::kernels
