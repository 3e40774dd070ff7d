#include "search/code_norms.hpp"

#include <algorithm>
#include <cmath>

namespace wsdhq {

float CodeNorms::norm(const std::uint8_t* code, std::size_t stride) {
    const std::size_t largest = codebooks_.codebook_size - 1;
    for (std::size_t m = 0; m < codebooks_.num_codebooks; ++m) {
        codewords_[m] = codebooks_.codeword(m, std::min<std::size_t>(code[m * stride], largest));
    }
    const double square =
        kernels_->squared_norm(codewords_.data(), codebooks_.num_codebooks, codebooks_.dim);
    return static_cast<float>(similarity_ == Similarity::l2 ? square : std::sqrt(square));
}

}  // namespace wsdhq
