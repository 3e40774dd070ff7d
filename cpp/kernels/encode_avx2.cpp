// The loops of encoding in AVX2.
#include <immintrin.h>

#include "compiler.hpp"
#include "encode_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kHalf = 8;  // lanes of a register; a panel is two of them
static_assert(kLaneCount == 2 * kHalf);

__m256i load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
void store(void* to, __m256i lanes) { _mm256_storeu_si256(static_cast<__m256i*>(to), lanes); }

template <std::size_t Rows>
void unary_tile(const std::int16_t* vectors, std::size_t num_pairs, const std::int16_t* packed,
                const std::int32_t* vector_shifts, const std::int32_t* column_shifts,
                const std::int32_t* column_terms, std::int32_t* unary, std::size_t num_columns) {
    __m256i sums[Rows][2];
    for (std::size_t row = 0; row < Rows; ++row) {
        sums[row][0] = sums[row][1] = _mm256_setzero_si256();
    }
    for (std::size_t p = 0; p < num_pairs; ++p) {
        const __m256i left = load(packed + p * kLaneCount * 2);
        const __m256i right = load(packed + p * kLaneCount * 2 + kLaneCount);
#pragma GCC unroll 4
        for (std::size_t row = 0; row < Rows; ++row) {
            const __m256i value =
                _mm256_set1_epi32(bytes_of_pair(vectors + (row * num_pairs + p) * 2));
            sums[row][0] = _mm256_add_epi32(sums[row][0], _mm256_madd_epi16(value, left));
            sums[row][1] = _mm256_add_epi32(sums[row][1], _mm256_madd_epi16(value, right));
        }
    }
    for (std::size_t half = 0; half < 2; ++half) {
        const __m256i shifts = load(column_shifts + half * kHalf);
        const __m256i terms = load(column_terms + half * kHalf);
        for (std::size_t row = 0; row < Rows; ++row) {
            const __m256i shift = _mm256_add_epi32(shifts, _mm256_set1_epi32(vector_shifts[row]));
            store(unary + row * num_columns + half * kHalf,
                  _mm256_sub_epi32(terms, _mm256_srav_epi32(sums[row][half], shift)));
        }
    }
}

void integer_unary(const std::int16_t* vectors, std::size_t num_vectors, std::size_t num_pairs,
                   const std::int16_t* packed, std::size_t num_panels,
                   const std::int32_t* vector_shifts, const std::int32_t* column_shifts,
                   const std::int32_t* column_terms, std::int32_t* unary) {
    const std::size_t num_columns = num_panels * kLaneCount;
    for (std::size_t c = 0; c < num_columns; c += kLaneCount) {
        const std::int16_t* panel = packed + c * num_pairs * 2;
        std::size_t n = 0;
        for (; n + 4 <= num_vectors; n += 4) {
            unary_tile<4>(vectors + n * num_pairs * 2, num_pairs, panel, vector_shifts + n,
                          column_shifts + c, column_terms + c, unary + n * num_columns + c,
                          num_columns);
        }
        for (; n < num_vectors; ++n) {
            unary_tile<1>(vectors + n * num_pairs * 2, num_pairs, panel, vector_shifts + n,
                          column_shifts + c, column_terms + c, unary + n * num_columns + c,
                          num_columns);
        }
    }
}

// Adds rows to Registers * kHalf sums.
template <std::size_t Registers>
void add_rows_to(__m256i* sums, const std::int32_t* const* rows, std::size_t num_rows,
                 std::size_t k) {
    for (std::size_t r = 0; r < num_rows; ++r) {
        const std::int32_t* row = rows[r] + k;
#pragma GCC unroll 8
        for (std::size_t i = 0; i < Registers; ++i) {
            sums[i] = _mm256_add_epi32(sums[i], load(row + i * kHalf));
        }
    }
}

template <std::size_t Registers>
void add_rows_to(__m256i* sums, const std::int16_t* const* rows, std::size_t num_rows,
                 std::size_t k) {
    constexpr std::size_t narrow_registers = Registers / 2;
    for (std::size_t first = 0; first < num_rows; first += kNarrowRows) {
        const std::size_t left = num_rows - first;
        const std::size_t taken = left < kNarrowRows ? left : kNarrowRows;
        __m256i narrow[narrow_registers];
        const std::int16_t* row = rows[first] + k;
#pragma GCC unroll 4
        for (std::size_t i = 0; i < narrow_registers; ++i) {
            narrow[i] = load(row + i * 2 * kHalf);
        }
        for (std::size_t r = 1; r < taken; ++r) {
            row = rows[first + r] + k;
#pragma GCC unroll 4
            for (std::size_t i = 0; i < narrow_registers; ++i) {
                narrow[i] = _mm256_add_epi16(narrow[i], load(row + i * 2 * kHalf));
            }
        }
#pragma GCC unroll 4
        for (std::size_t i = 0; i < narrow_registers; ++i) {
            sums[2 * i] = _mm256_add_epi32(
                sums[2 * i], _mm256_cvtepi16_epi32(_mm256_castsi256_si128(narrow[i])));
            sums[2 * i + 1] = _mm256_add_epi32(
                sums[2 * i + 1], _mm256_cvtepi16_epi32(_mm256_extracti128_si256(narrow[i], 1)));
        }
    }
}

template <typename Entry>
std::int32_t add_rows(std::int32_t base, const std::int32_t* first, const Entry* const* rows,
                      std::size_t num_rows, std::size_t size, std::int32_t* out,
                      std::int32_t* lane_minima) {
    const __m256i bases = _mm256_set1_epi32(base);
    __m256i minima[2];
    minima[0] = minima[1] = _mm256_set1_epi32(INT32_MAX);
    const auto part = [&]<std::size_t Registers>(std::size_t k) {
        __m256i sums[Registers];
        for (std::size_t i = 0; i < Registers; ++i) {
            sums[i] = _mm256_add_epi32(bases, load(first + k + i * kHalf));
        }
        add_rows_to<Registers>(sums, rows, num_rows, k);
        for (std::size_t i = 0; i < Registers; ++i) {
            store(out + k + i * kHalf, sums[i]);
            minima[i % 2] = _mm256_min_epi32(minima[i % 2], sums[i]);
        }
    };
    std::size_t k = 0;
    for (; k + 8 * kHalf <= size; k += 8 * kHalf) {
        part.template operator()<8>(k);
    }
    for (; k < size; k += kLaneCount) {
        part.template operator()<2>(k);
    }
    store(lane_minima, minima[0]);
    store(lane_minima + kHalf, minima[1]);
    __m256i least = _mm256_min_epi32(minima[0], minima[1]);
    least = _mm256_min_epi32(least, _mm256_permute2x128_si256(least, least, 1));
    least = _mm256_min_epi32(least, _mm256_shuffle_epi32(least, 0x4E));
    least = _mm256_min_epi32(least, _mm256_shuffle_epi32(least, 0xB1));
    return _mm256_cvtsi256_si32(least);
}

std::int16_t add_rows_narrow(std::int16_t base, const std::int16_t* first,
                             const std::int16_t* const* rows, std::size_t num_rows,
                             std::size_t size, std::int16_t* sums, std::int16_t* lane_minima) {
    const __m256i bases = _mm256_set1_epi16(base);
    __m256i minima = _mm256_set1_epi16(32767);
    const auto part = [&]<std::size_t Registers>(std::size_t k) {
        __m256i parts[Registers];
        for (std::size_t i = 0; i < Registers; ++i) {
            parts[i] = _mm256_adds_epi16(bases, load(first + k + i * kLaneCount));
        }
        for (std::size_t r = 0; r < num_rows; ++r) {
            const std::int16_t* row = rows[r] + k;
#pragma GCC unroll 8
            for (std::size_t i = 0; i < Registers; ++i) {
                parts[i] = _mm256_adds_epi16(parts[i], load(row + i * kLaneCount));
            }
        }
        for (std::size_t i = 0; i < Registers; ++i) {
            store(sums + k + i * kLaneCount, parts[i]);
            minima = _mm256_min_epi16(minima, parts[i]);
        }
    };
    std::size_t k = 0;
    for (; k + 8 * kLaneCount <= size; k += 8 * kLaneCount) {
        part.template operator()<8>(k);
    }
    for (; k < size; k += kLaneCount) {
        part.template operator()<1>(k);
    }
    store(lane_minima, minima);
    __m128i least =
        _mm_min_epi16(_mm256_castsi256_si128(minima), _mm256_extracti128_si256(minima, 1));
    // The horizontal minimum is of unsigned numbers: the sign bit turns one order into the other.
    const __m128i sign = _mm_set1_epi16(-32768);
    least = _mm_xor_si128(_mm_minpos_epu16(_mm_xor_si128(least, sign)), sign);
    return static_cast<std::int16_t>(_mm_extract_epi16(least, 0));
}

void narrow(const std::int32_t* values, std::size_t size, std::int16_t* narrowed) {
    __m256i minima = load(values);
    for (std::size_t k = kHalf; k < size; k += kHalf) {
        minima = _mm256_min_epi32(minima, load(values + k));
    }
    minima = _mm256_min_epi32(minima, _mm256_permute2x128_si256(minima, minima, 1));
    minima = _mm256_min_epi32(minima, _mm256_shuffle_epi32(minima, 0x4E));
    const __m256i least = _mm256_min_epi32(minima, _mm256_shuffle_epi32(minima, 0xB1));
    for (std::size_t k = 0; k < size; k += kLaneCount) {
        const __m256i packed =
            _mm256_packs_epi32(_mm256_sub_epi32(load(values + k), least),
                               _mm256_sub_epi32(load(values + k + kHalf), least));
        store(narrowed + k, _mm256_permute4x64_epi64(packed, 0xD8));
    }
}

// One bit per value of a panel.
unsigned at_most(const std::int32_t* values, std::int32_t limit) {
    const __m256i limits = _mm256_set1_epi32(limit);
    const auto above = [&](const std::int32_t* from) {
        return static_cast<unsigned>(
            _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(load(from), limits))));
    };
    return ~(above(values) | above(values + kHalf) << kHalf) & 0xFFFFu;
}
unsigned at_most(const std::int16_t* values, std::int16_t limit) {
    const __m256i above = _mm256_cmpgt_epi16(load(values), _mm256_set1_epi16(limit));
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(above), _mm256_extracti128_si256(above, 1));
    return ~static_cast<unsigned>(_mm_movemask_epi8(bytes)) & 0xFFFFu;
}

template <typename Value>
std::size_t count_at_most(const Value* values, std::size_t size, Value limit) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; i += kLaneCount) {
        count += count_bits(at_most(values + i, limit));
    }
    return count;
}

template <typename Value>
std::size_t find_at_most(const Value* values, std::size_t size, Value limit,
                         std::uint32_t* indices) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; i += kLaneCount) {
        for (unsigned found = at_most(values + i, limit); found != 0; found &= found - 1) {
            indices[count++] = static_cast<std::uint32_t>(i) + lowest_bit(found);
        }
    }
    return count;
}

}  // namespace

const EncodeKernels& encode_kernels_avx2() {
    static constexpr EncodeKernels kernels{integer_unary,
                                           add_rows<std::int16_t>,
                                           add_rows<std::int32_t>,
                                           add_rows_narrow,
                                           narrow,
                                           count_at_most<std::int32_t>,
                                           count_at_most<std::int16_t>,
                                           find_at_most<std::int32_t>,
                                           find_at_most<std::int16_t>};
    return kernels;
}

}  // namespace wsdhq::kernels
