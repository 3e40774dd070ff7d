// Look-ups in AVX2: a table of 256 bytes is sixteen of 16 bytes, one per high nibble of a code.
#include <immintrin.h>

#include "compiler.hpp"
#include "search_kernels.hpp"

namespace wsdhq::kernels {
namespace {

static_assert(kBlockSize % 32 == 0 && kTableSize == 16 * 16);

// Entries of 8 codes.
__m256 look_up(const float* row, const std::uint8_t* codes) {
    const __m256i index =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
    return _mm256_i32gather_ps(row, index, 4);
}

void look_up_scores(const float* table, std::size_t num_codebooks, const std::uint8_t* codes,
                    float* scores) {
    // Four gathers under way at once hide the latency of each.
    for (std::size_t n = 0; n < kBlockSize; n += 32) {
        __m256 sums[4];
#pragma GCC unroll 4
        for (std::size_t part = 0; part < 4; ++part) {
            sums[part] = look_up(table, codes + n + part * 8);
        }
        for (std::size_t m = 1; m < num_codebooks; ++m) {
#pragma GCC unroll 4
            for (std::size_t part = 0; part < 4; ++part) {
                sums[part] = _mm256_add_ps(
                    sums[part],
                    look_up(table + m * kTableSize, codes + m * kBlockSize + n + part * 8));
            }
        }
#pragma GCC unroll 4
        for (std::size_t part = 0; part < 4; ++part) {
            _mm256_storeu_ps(scores + n + part * 8, sums[part]);
        }
    }
}

void quantize_losses(const float* table, float largest, float inverse_step, std::uint8_t* losses) {
    const __m256 top = _mm256_set1_ps(largest);
    const __m256 scale = _mm256_set1_ps(inverse_step);
    const __m256 most = _mm256_set1_ps(255.0f);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (std::size_t k = 0; k < kTableSize; k += 32) {
        __m256i parts[4];
        for (std::size_t part = 0; part < 4; ++part) {
            __m256 loss =
                _mm256_mul_ps(_mm256_sub_ps(top, _mm256_loadu_ps(table + k + part * 8)), scale);
            // The second operand is the result where the first is not a number.
            loss = _mm256_min_ps(_mm256_max_ps(loss, _mm256_setzero_ps()), most);
            parts[part] = _mm256_cvttps_epi32(loss);
        }
        const __m256i bytes = _mm256_packus_epi16(_mm256_packus_epi32(parts[0], parts[1]),
                                                  _mm256_packus_epi32(parts[2], parts[3]));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(losses + k),
                            _mm256_permutevar8x32_epi32(bytes, order));
    }
}

// Of `Queries` queries, which share the shuffle indices made from the codes; `Parts` registers of
// codes share the tables.
template <std::size_t Queries, std::size_t Parts>
std::uint64_t filter_queries(const std::uint8_t* codes, std::size_t num_rows,
                             const std::uint8_t* losses, const std::uint8_t* thresholds,
                             std::uint64_t* survivors) {
    const __m256i step = _mm256_set1_epi8(0x10);
    const __m256i limit = _mm256_set1_epi8(0x70);
    for (std::size_t i = 0; i < Queries * kBlockWords; ++i) {
        survivors[i] = 0;
    }
    for (std::size_t n = 0; n < kBlockSize; n += 32 * Parts) {
        __m256i sums[Queries][Parts];
#pragma GCC unroll 4
        for (std::size_t q = 0; q < Queries; ++q) {
#pragma GCC unroll 4
            for (std::size_t part = 0; part < Parts; ++part) {
                sums[q][part] = _mm256_setzero_si256();
            }
        }
        for (std::size_t row = 0; row < num_rows; ++row) {
            // `left` counts down the high nibble. Where it is 0, adding 0x70 keeps the top bit
            // clear and the shuffle looks up the low nibble; elsewhere it sets the top bit, and
            // the shuffle gives 0.
            __m256i left[Parts];
            __m256i entries[Queries][Parts];
#pragma GCC unroll 4
            for (std::size_t part = 0; part < Parts; ++part) {
                left[part] = _mm256_loadu_si256(
                    reinterpret_cast<const __m256i*>(codes + row * kBlockSize + n + part * 32));
#pragma GCC unroll 4
                for (std::size_t q = 0; q < Queries; ++q) {
                    entries[q][part] = _mm256_setzero_si256();
                }
            }
#pragma GCC unroll 16
            for (std::size_t high = 0; high < 16; ++high) {
                __m256i index[Parts];
#pragma GCC unroll 4
                for (std::size_t part = 0; part < Parts; ++part) {
                    index[part] = _mm256_adds_epu8(left[part], limit);
                    left[part] = _mm256_sub_epi8(left[part], step);
                }
#pragma GCC unroll 4
                for (std::size_t q = 0; q < Queries; ++q) {
                    const __m256i table = _mm256_broadcastsi128_si256(
                        _mm_loadu_si128(reinterpret_cast<const __m128i*>(
                            losses + (q * num_rows + row) * kTableSize + high * 16)));
#pragma GCC unroll 4
                    for (std::size_t part = 0; part < Parts; ++part) {
                        entries[q][part] = _mm256_or_si256(entries[q][part],
                                                           _mm256_shuffle_epi8(table, index[part]));
                        // Left alone, GCC makes all indices first and then spills them.
                        WSDHQ_PIN("+x", entries[q][part]);
                    }
                }
            }
#pragma GCC unroll 4
            for (std::size_t q = 0; q < Queries; ++q) {
#pragma GCC unroll 4
                for (std::size_t part = 0; part < Parts; ++part) {
                    sums[q][part] = _mm256_adds_epu8(sums[q][part], entries[q][part]);
                }
            }
        }
#pragma GCC unroll 4
        for (std::size_t q = 0; q < Queries; ++q) {
            const __m256i threshold = _mm256_set1_epi8(static_cast<char>(thresholds[q]));
#pragma GCC unroll 4
            for (std::size_t part = 0; part < Parts; ++part) {
                const __m256i below =
                    _mm256_cmpeq_epi8(_mm256_min_epu8(sums[q][part], threshold), sums[q][part]);
                const std::uint64_t bits = static_cast<std::uint32_t>(_mm256_movemask_epi8(below));
                const std::size_t first = n + part * 32;
                survivors[q * kBlockWords + first / 64] |= bits << (first % 64);
            }
        }
    }
    std::uint64_t any = 0;
    for (std::size_t q = 0; q < Queries; ++q) {
        std::uint64_t together = 0;
        for (std::size_t word = 0; word < kBlockWords; ++word) {
            together |= survivors[q * kBlockWords + word];
        }
        any |= std::uint64_t{together != 0} << q;
    }
    return any;
}

std::uint64_t filter_block(const std::uint8_t* codes, std::size_t num_rows,
                           const std::uint8_t* losses, const std::uint8_t* thresholds,
                           std::size_t num_queries, std::uint64_t* survivors) {
    std::uint64_t any = 0;
    std::size_t q = 0;
    for (; q + 2 <= num_queries; q += 2) {
        any |= filter_queries<2, 2>(codes, num_rows, losses + q * num_rows * kTableSize,
                                    thresholds + q, survivors + q * kBlockWords)
               << q;
    }
    if (q < num_queries) {
        any |= filter_queries<1, 4>(codes, num_rows, losses + q * num_rows * kTableSize,
                                    thresholds + q, survivors + q * kBlockWords)
               << q;
    }
    return any;
}

double squared_norm(const float* const* codewords, std::size_t num_codebooks, std::size_t dim) {
    __m256d low_squares = _mm256_setzero_pd();
    __m256d high_squares = _mm256_setzero_pd();
    for (std::size_t first = 0; first < dim; first += 8) {
        // Lanes beyond the end stay 0, and so do their squares.
        const auto left = static_cast<int>(dim - first < 8 ? dim - first : 8);
        const __m128i low_inside =
            _mm_cmpgt_epi32(_mm_set1_epi32(left), _mm_setr_epi32(0, 1, 2, 3));
        const __m128i high_inside =
            _mm_cmpgt_epi32(_mm_set1_epi32(left), _mm_setr_epi32(4, 5, 6, 7));
        __m256d low = _mm256_setzero_pd();
        __m256d high = _mm256_setzero_pd();
        for (std::size_t m = 0; m < num_codebooks; ++m) {
            const float* codeword = codewords[m] + first;
            low = _mm256_add_pd(low, _mm256_cvtps_pd(_mm_maskload_ps(codeword, low_inside)));
            // The address of lanes that are all outside may lie beyond the codeword.
            high = left <= 4
                       ? high
                       : _mm256_add_pd(high,
                                       _mm256_cvtps_pd(_mm_maskload_ps(codeword + 4, high_inside)));
        }
        low_squares = _mm256_add_pd(low_squares, _mm256_mul_pd(low, low));
        high_squares = _mm256_add_pd(high_squares, _mm256_mul_pd(high, high));
    }
    const __m256d halves = _mm256_add_pd(low_squares, high_squares);
    const __m128d quarters =
        _mm_add_pd(_mm256_castpd256_pd128(halves), _mm256_extractf128_pd(halves, 1));
    return _mm_cvtsd_f64(_mm_add_sd(quarters, _mm_unpackhi_pd(quarters, quarters)));
}

std::size_t pack_mask(const std::uint8_t* mask, std::size_t num_words, std::uint64_t* words) {
    const __m256i zero = _mm256_setzero_si256();
    std::size_t total = 0;
    for (std::size_t w = 0; w < num_words; ++w) {
        const auto* bytes = reinterpret_cast<const __m256i*>(mask + w * 64);
        const auto low = static_cast<std::uint32_t>(
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(bytes), zero)));
        const auto high = static_cast<std::uint32_t>(
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(bytes + 1), zero)));
        words[w] = ~(std::uint64_t{high} << 32 | low);
        total += static_cast<std::size_t>(_mm_popcnt_u64(words[w]));
    }
    return total;
}

}  // namespace

const SearchKernels& search_kernels_avx2() {
    static constexpr SearchKernels kernels{look_up_scores, quantize_losses, filter_block,
                                           squared_norm, pack_mask};
    return kernels;
}

}  // namespace wsdhq::kernels
