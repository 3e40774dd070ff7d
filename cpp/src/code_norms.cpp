#include "code_norms.hpp"

#include <algorithm>
#include <cmath>

namespace wsdhq {

void code_norms(CodebooksView codebooks, Similarity similarity, const std::uint8_t* codes,
                std::size_t count, float* norms) {
    // Dimensions go by in tiles, so that the sums stay in the first cache; the squares of several
    // codes are added side by side, because each addition waits for the one before it.
    constexpr std::size_t tile = 64;
    double sums[kNormBatch][tile];
    double squares[kNormBatch] = {};
    const std::size_t largest = codebooks.codebook_size - 1;
    for (std::size_t first = 0; first < codebooks.dim; first += tile) {
        const std::size_t width = std::min(tile, codebooks.dim - first);
        for (std::size_t n = 0; n < count; ++n) {
            double* sum = sums[n];
            std::fill(sum, sum + width, 0.0);
            for (std::size_t m = 0; m < codebooks.num_codebooks; ++m) {
                const std::size_t code = codes[n * codebooks.num_codebooks + m];
                const float* codeword = codebooks.codeword(m, std::min(code, largest)) + first;
                for (std::size_t d = 0; d < width; ++d) {
                    sum[d] += codeword[d];
                }
            }
        }
        if (count == kNormBatch) {
            for (std::size_t d = 0; d < width; ++d) {
                for (std::size_t n = 0; n < kNormBatch; ++n) {
                    squares[n] += sums[n][d] * sums[n][d];
                }
            }
        } else {
            for (std::size_t n = 0; n < count; ++n) {
                for (std::size_t d = 0; d < width; ++d) {
                    squares[n] += sums[n][d] * sums[n][d];
                }
            }
        }
    }
    for (std::size_t n = 0; n < count; ++n) {
        norms[n] = static_cast<float>(similarity == Similarity::l2 ? squares[n]
                                                                   : std::sqrt(squares[n]));
    }
}

}  // namespace wsdhq
