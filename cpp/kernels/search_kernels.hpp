// The look-ups of a search (method section 5), over blocks of codes stored codebook-major.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wsdhq::kernels {

// Vectors per block: a row of a block holds one byte of each of them.
inline constexpr std::size_t kBlockSize = 512;
inline constexpr std::size_t kBlockWords = kBlockSize / 64;  // of a bit per vector
// Entries of a look-up table: every byte is a valid code, whatever a damaged file holds.
inline constexpr std::size_t kTableSize = 256;
// Queries that one call of filter_block takes at most: a bit of a word each.
inline constexpr std::size_t kMaxQueries = 64;

struct SearchKernels {
    // Look-up-table scores of the vectors of a block (method section 5).
    //   table  (num_codebooks, kTableSize)
    //   codes  (num_codebooks, kBlockSize)
    //   scores (kBlockSize), written: sum_m table[m, codes[m, n]], m ascending from 0
    void (*look_up_scores)(const float* table, std::size_t num_codebooks, const std::uint8_t* codes,
                           float* scores);

    // One row of a table as 8-bit losses, rounded down.
    //   table  (kTableSize)
    //   losses (kTableSize), written: the integer part of
    //          min(max((largest - table[k]) * inverse_step, 0), 255), each step rounded to float;
    //          0 where that is not a number
    void (*quantize_losses)(const float* table, float largest, float inverse_step,
                            std::uint8_t* losses);

    // Which vectors of a block may reach a threshold, for each of 1 to kMaxQueries queries.
    //   codes      (num_rows, kBlockSize)
    //   losses     (num_queries, num_rows, kTableSize)
    //   thresholds (num_queries)
    //   survivors  (num_queries, kBlockWords), written: bit n % 64 of word n / 64 of query q is
    //              set where min(sum_r losses[q, r, codes[r, n]], 255) <= thresholds[q]
    // Bit q of the result: query q has a survivor. A saturating sum does not depend on its order.
    std::uint64_t (*filter_block)(const std::uint8_t* codes, std::size_t num_rows,
                                  const std::uint8_t* losses, const std::uint8_t* thresholds,
                                  std::size_t num_queries, std::uint64_t* survivors);

    // The squared norm of a sum of codewords, in double.
    //   codewords (num_codebooks) pointers to (dim) floats
    // x[d] = sum_m codewords[m][d], m ascending from 0; lanes[l] = sum of x[d]^2 over d % 8 = l,
    // ascending from 0, each square rounded before it is added; the result is
    // ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] +
    // lanes[7])).
    double (*squared_norm)(const float* const* codewords, std::size_t num_codebooks,
                           std::size_t dim);

    // A mask of a byte per vector as one of a bit.
    //   mask  (num_words * 64)
    //   words (num_words), written: bit i of word w is set where mask[64 w + i] is not 0
    // The result: how many bits are set.
    std::size_t (*pack_mask)(const std::uint8_t* mask, std::size_t num_words, std::uint64_t* words);
};

const SearchKernels& search_kernels_scalar();
const SearchKernels& search_kernels_avx2();
const SearchKernels& search_kernels_avx512();  // needs VBMI as well
const SearchKernels& search_kernels_neon();

}  // namespace wsdhq::kernels
