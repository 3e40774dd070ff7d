// Look-ups in the instructions of the baseline: the definition.
#include "search_kernels.hpp"

namespace wsdhq::kernels {
namespace {

void look_up_scores(const float* table, std::size_t num_codebooks, const std::uint8_t* codes,
                    float* scores) {
    for (std::size_t n = 0; n < kBlockSize; ++n) {
        scores[n] = table[codes[n]];
    }
    for (std::size_t m = 1; m < num_codebooks; ++m) {
        const float* row = table + m * kTableSize;
        const std::uint8_t* row_codes = codes + m * kBlockSize;
        for (std::size_t n = 0; n < kBlockSize; ++n) {
            scores[n] += row[row_codes[n]];
        }
    }
}

void quantize_losses(const float* table, float largest, float inverse_step, std::uint8_t* losses) {
    for (std::size_t k = 0; k < kTableSize; ++k) {
        const float loss = (largest - table[k]) * inverse_step;
        const float positive = loss > 0.0f ? loss : 0.0f;
        losses[k] = static_cast<std::uint8_t>(
            static_cast<std::int32_t>(positive < 255.0f ? positive : 255.0f));
    }
}

std::uint64_t filter_block(const std::uint8_t* codes, std::size_t num_rows,
                           const std::uint8_t* losses, const std::uint8_t* thresholds,
                           std::size_t num_queries, std::uint64_t* survivors) {
    std::uint64_t any = 0;
    for (std::size_t q = 0; q < num_queries; ++q) {
        std::uint8_t sums[kBlockSize] = {};
        for (std::size_t row = 0; row < num_rows; ++row) {
            const std::uint8_t* table = losses + (q * num_rows + row) * kTableSize;
            const std::uint8_t* row_codes = codes + row * kBlockSize;
            for (std::size_t n = 0; n < kBlockSize; ++n) {
                const unsigned sum = sums[n] + static_cast<unsigned>(table[row_codes[n]]);
                sums[n] = static_cast<std::uint8_t>(sum < 255u ? sum : 255u);
            }
        }
        for (std::size_t word = 0; word < kBlockWords; ++word) {
            std::uint64_t bits = 0;
            for (std::size_t bit = 0; bit < 64; ++bit) {
                bits |= std::uint64_t{sums[word * 64 + bit] <= thresholds[q]} << bit;
            }
            survivors[q * kBlockWords + word] = bits;
            any |= std::uint64_t{bits != 0} << q;
        }
    }
    return any;
}

double squared_norm(const float* const* codewords, std::size_t num_codebooks, std::size_t dim) {
    double lanes[8] = {};
    std::size_t first = 0;
    for (; first + 8 <= dim; first += 8) {
        double sums[8] = {};
        for (std::size_t m = 0; m < num_codebooks; ++m) {
            const float* codeword = codewords[m] + first;
            for (std::size_t lane = 0; lane < 8; ++lane) {
                sums[lane] += static_cast<double>(codeword[lane]);
            }
        }
        for (std::size_t lane = 0; lane < 8; ++lane) {
            lanes[lane] += sums[lane] * sums[lane];
        }
    }
    for (std::size_t lane = 0; first + lane < dim; ++lane) {
        double sum = 0.0;
        for (std::size_t m = 0; m < num_codebooks; ++m) {
            sum += static_cast<double>(codewords[m][first + lane]);
        }
        lanes[lane] += sum * sum;
    }
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

std::size_t pack_mask(const std::uint8_t* mask, std::size_t num_words, std::uint64_t* words) {
    std::size_t total = 0;
    for (std::size_t w = 0; w < num_words; ++w) {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < 64; ++i) {
            const std::uint64_t bit = mask[w * 64 + i] != 0;
            word |= bit << i;
            total += bit;
        }
        words[w] = word;
    }
    return total;
}

}  // namespace

const SearchKernels& search_kernels_scalar() {
    static constexpr SearchKernels kernels{look_up_scores, quantize_losses, filter_block,
                                           squared_norm, pack_mask};
    return kernels;
}

}  // namespace wsdhq::kernels
