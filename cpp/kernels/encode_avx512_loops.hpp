// The loops of encoding in AVX-512, shared by the files with and without VNNI. Everything is
// internal to the file that includes it.
#pragma once

#include <immintrin.h>

#include "compiler.hpp"
#include "encode_kernels.hpp"

namespace wsdhq::kernels {
namespace {

static_assert(kLaneCount == 16);

// `Dot{}(sums, a, b)` adds a[2i] b[2i] + a[2i + 1] b[2i + 1] to lane i.
template <typename Dot, std::size_t Rows, std::size_t Panels>
void unary_tile(const std::int16_t* vectors, std::size_t num_pairs, const std::int16_t* packed,
                const std::int32_t* vector_shifts, const std::int32_t* column_shifts,
                const std::int32_t* column_terms, std::int32_t* unary, std::size_t num_columns) {
    __m512i sums[Rows][Panels];
    for (std::size_t row = 0; row < Rows; ++row) {
        for (std::size_t panel = 0; panel < Panels; ++panel) {
            sums[row][panel] = _mm512_setzero_si512();
        }
    }
    for (std::size_t p = 0; p < num_pairs; ++p) {
        __m512i weights[Panels];
#pragma GCC unroll 2
        for (std::size_t panel = 0; panel < Panels; ++panel) {
            weights[panel] = _mm512_loadu_si512(packed + (panel * num_pairs + p) * kLaneCount * 2);
        }
#pragma GCC unroll 12
        for (std::size_t row = 0; row < Rows; ++row) {
            const __m512i value =
                _mm512_set1_epi32(bytes_of_pair(vectors + (row * num_pairs + p) * 2));
#pragma GCC unroll 2
            for (std::size_t panel = 0; panel < Panels; ++panel) {
                sums[row][panel] = Dot{}(sums[row][panel], value, weights[panel]);
            }
        }
    }
    for (std::size_t panel = 0; panel < Panels; ++panel) {
        const __m512i shifts = _mm512_loadu_si512(column_shifts + panel * kLaneCount);
        const __m512i terms = _mm512_loadu_si512(column_terms + panel * kLaneCount);
        for (std::size_t row = 0; row < Rows; ++row) {
            const __m512i shift = _mm512_add_epi32(shifts, _mm512_set1_epi32(vector_shifts[row]));
            _mm512_storeu_si512(
                unary + row * num_columns + panel * kLaneCount,
                _mm512_sub_epi32(terms, _mm512_srav_epi32(sums[row][panel], shift)));
        }
    }
}

template <typename Dot, std::size_t Panels>
void unary_panels(const std::int16_t* vectors, std::size_t num_vectors, std::size_t num_pairs,
                  const std::int16_t* packed, const std::int32_t* vector_shifts,
                  const std::int32_t* column_shifts, const std::int32_t* column_terms,
                  std::int32_t* unary, std::size_t num_columns) {
    const auto rows = [&]<std::size_t Rows>(std::size_t n) {
        unary_tile<Dot, Rows, Panels>(vectors + n * num_pairs * 2, num_pairs, packed,
                                      vector_shifts + n, column_shifts, column_terms,
                                      unary + n * num_columns, num_columns);
    };
    std::size_t n = 0;
    for (; n + 8 <= num_vectors; n += 8) {
        rows.template operator()<8>(n);
    }
    for (; n + 2 <= num_vectors; n += 2) {
        rows.template operator()<2>(n);
    }
    for (; n < num_vectors; ++n) {
        rows.template operator()<1>(n);
    }
}

template <typename Dot>
void integer_unary(const std::int16_t* vectors, std::size_t num_vectors, std::size_t num_pairs,
                   const std::int16_t* packed, std::size_t num_panels,
                   const std::int32_t* vector_shifts, const std::int32_t* column_shifts,
                   const std::int32_t* column_terms, std::int32_t* unary) {
    const std::size_t num_columns = num_panels * kLaneCount;
    std::size_t panel = 0;
    for (; panel + 2 <= num_panels; panel += 2) {
        const std::size_t c = panel * kLaneCount;
        unary_panels<Dot, 2>(vectors, num_vectors, num_pairs, packed + c * num_pairs * 2,
                             vector_shifts, column_shifts + c, column_terms + c, unary + c,
                             num_columns);
    }
    if (panel < num_panels) {
        const std::size_t c = panel * kLaneCount;
        unary_panels<Dot, 1>(vectors, num_vectors, num_pairs, packed + c * num_pairs * 2,
                             vector_shifts, column_shifts + c, column_terms + c, unary + c,
                             num_columns);
    }
}

// Adds rows to Registers * kLaneCount sums.
template <std::size_t Registers>
void add_rows_to(__m512i* sums, const std::int32_t* const* rows, std::size_t num_rows,
                 std::size_t k) {
    for (std::size_t r = 0; r < num_rows; ++r) {
        const std::int32_t* row = rows[r] + k;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Registers; ++i) {
            sums[i] = _mm512_add_epi32(sums[i], _mm512_loadu_si512(row + i * kLaneCount));
        }
    }
}

template <std::size_t Registers>
void add_rows_to(__m512i* sums, const std::int16_t* const* rows, std::size_t num_rows,
                 std::size_t k) {
    for (std::size_t first = 0; first < num_rows; first += kNarrowRows) {
        const std::size_t left = num_rows - first;
        const std::size_t taken = left < kNarrowRows ? left : kNarrowRows;
        __m256i narrow[Registers];
        const std::int16_t* row = rows[first] + k;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Registers; ++i) {
            narrow[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + i * kLaneCount));
        }
        for (std::size_t r = 1; r < taken; ++r) {
            row = rows[first + r] + k;
#pragma GCC unroll 16
            for (std::size_t i = 0; i < Registers; ++i) {
                narrow[i] = _mm256_add_epi16(
                    narrow[i],
                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + i * kLaneCount)));
            }
        }
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Registers; ++i) {
            sums[i] = _mm512_add_epi32(sums[i], _mm512_cvtepi16_epi32(narrow[i]));
        }
    }
}

// All 256 codewords, in registers twice as wide.
template <>
void add_rows_to<16>(__m512i* sums, const std::int16_t* const* rows, std::size_t num_rows,
                     std::size_t k) {
    for (std::size_t first = 0; first < num_rows; first += kNarrowRows) {
        const std::size_t left = num_rows - first;
        const std::size_t taken = left < kNarrowRows ? left : kNarrowRows;
        __m512i narrow[8];
        const std::int16_t* row = rows[first] + k;
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 8; ++i) {
            narrow[i] = _mm512_loadu_si512(row + i * 2 * kLaneCount);
        }
        for (std::size_t r = 1; r < taken; ++r) {
            row = rows[first + r] + k;
#pragma GCC unroll 8
            for (std::size_t i = 0; i < 8; ++i) {
                narrow[i] =
                    _mm512_add_epi16(narrow[i], _mm512_loadu_si512(row + i * 2 * kLaneCount));
            }
        }
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 8; ++i) {
            sums[2 * i] = _mm512_add_epi32(
                sums[2 * i], _mm512_cvtepi16_epi32(_mm512_castsi512_si256(narrow[i])));
            sums[2 * i + 1] = _mm512_add_epi32(
                sums[2 * i + 1], _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(narrow[i], 1)));
        }
    }
}

// Registers * kLaneCount codewords from k on; returns their minima by lane.
template <std::size_t Registers, typename Entry>
__m512i add_rows_part(std::int32_t base, const std::int32_t* first, const Entry* const* rows,
                      std::size_t num_rows, std::size_t k, std::int32_t* out) {
    __m512i sums[Registers];
    const __m512i bases = _mm512_set1_epi32(base);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Registers; ++i) {
        sums[i] = _mm512_add_epi32(bases, _mm512_loadu_si512(first + k + i * kLaneCount));
    }
    add_rows_to<Registers>(sums, rows, num_rows, k);
    __m512i minima = sums[0];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Registers; ++i) {
        _mm512_storeu_si512(out + k + i * kLaneCount, sums[i]);
        minima = _mm512_min_epi32(minima, sums[i]);
    }
    return minima;
}

template <typename Entry>
std::int32_t add_rows(std::int32_t base, const std::int32_t* first, const Entry* const* rows,
                      std::size_t num_rows, std::size_t size, std::int32_t* sums,
                      std::int32_t* lane_minima) {
    __m512i minima;
    if (size == 16 * kLaneCount) {
        minima = add_rows_part<16>(base, first, rows, num_rows, 0, sums);
    } else {
        minima = add_rows_part<1>(base, first, rows, num_rows, 0, sums);
        for (std::size_t k = kLaneCount; k < size; k += kLaneCount) {
            minima =
                _mm512_min_epi32(minima, add_rows_part<1>(base, first, rows, num_rows, k, sums));
        }
    }
    _mm512_storeu_si512(lane_minima, minima);
    return _mm512_reduce_min_epi32(minima);
}

__m256i load_half(const std::int16_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

std::int16_t add_rows_narrow(std::int16_t base, const std::int16_t* first,
                             const std::int16_t* const* rows, std::size_t num_rows,
                             std::size_t size, std::int16_t* sums, std::int16_t* lane_minima) {
    __m256i minima = _mm256_set1_epi16(32767);
    if (size == 16 * kLaneCount) {
        constexpr std::size_t lanes = 2 * kLaneCount;
        __m512i parts[8];
        const __m512i bases = _mm512_set1_epi16(base);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 8; ++i) {
            parts[i] = _mm512_adds_epi16(bases, _mm512_loadu_si512(first + i * lanes));
        }
        for (std::size_t r = 0; r < num_rows; ++r) {
            const std::int16_t* row = rows[r];
#pragma GCC unroll 8
            for (std::size_t i = 0; i < 8; ++i) {
                parts[i] = _mm512_adds_epi16(parts[i], _mm512_loadu_si512(row + i * lanes));
            }
        }
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 8; ++i) {
            _mm512_storeu_si512(sums + i * lanes, parts[i]);
        }
        const __m512i all =
            _mm512_min_epi16(_mm512_min_epi16(_mm512_min_epi16(parts[0], parts[1]),
                                              _mm512_min_epi16(parts[2], parts[3])),
                             _mm512_min_epi16(_mm512_min_epi16(parts[4], parts[5]),
                                              _mm512_min_epi16(parts[6], parts[7])));
        minima = _mm256_min_epi16(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    } else {
        const __m256i bases = _mm256_set1_epi16(base);
        for (std::size_t k = 0; k < size; k += kLaneCount) {
            __m256i part = _mm256_adds_epi16(bases, load_half(first + k));
            for (std::size_t r = 0; r < num_rows; ++r) {
                part = _mm256_adds_epi16(part, load_half(rows[r] + k));
            }
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + k), part);
            minima = _mm256_min_epi16(minima, part);
        }
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(lane_minima), minima);
    __m128i least =
        _mm_min_epi16(_mm256_castsi256_si128(minima), _mm256_extracti128_si256(minima, 1));
    // The horizontal minimum is of unsigned numbers: the sign bit turns one order into the other.
    const __m128i sign = _mm_set1_epi16(-32768);
    least = _mm_xor_si128(_mm_minpos_epu16(_mm_xor_si128(least, sign)), sign);
    return static_cast<std::int16_t>(_mm_extract_epi16(least, 0));
}

void narrow(const std::int32_t* values, std::size_t size, std::int16_t* narrowed) {
    __m512i minima = _mm512_loadu_si512(values);
    for (std::size_t k = kLaneCount; k < size; k += kLaneCount) {
        minima = _mm512_min_epi32(minima, _mm512_loadu_si512(values + k));
    }
    const __m512i least = _mm512_set1_epi32(_mm512_reduce_min_epi32(minima));
    for (std::size_t k = 0; k < size; k += kLaneCount) {
        const __m512i difference = _mm512_sub_epi32(_mm512_loadu_si512(values + k), least);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(narrowed + k),
                            _mm512_cvtsepi32_epi16(difference));
    }
}

// One bit per value, from i on.
std::uint64_t at_most_16(const std::int32_t* values, std::int32_t limit) {
    return _mm512_cmple_epi32_mask(_mm512_loadu_si512(values), _mm512_set1_epi32(limit));
}
std::uint64_t at_most_16(const std::int16_t* values, std::int16_t limit) {
    return _mm256_cmple_epi16_mask(load_half(values), _mm256_set1_epi16(limit));
}
std::uint64_t at_most_64(const std::int32_t* values, std::int32_t limit) {
    return at_most_16(values, limit) | at_most_16(values + 16, limit) << 16 |
           at_most_16(values + 32, limit) << 32 | at_most_16(values + 48, limit) << 48;
}
std::uint64_t at_most_64(const std::int16_t* values, std::int16_t limit) {
    const __m512i limits = _mm512_set1_epi16(limit);
    return static_cast<std::uint64_t>(_mm512_cmple_epi16_mask(_mm512_loadu_si512(values), limits)) |
           static_cast<std::uint64_t>(
               _mm512_cmple_epi16_mask(_mm512_loadu_si512(values + 32), limits))
               << 32;
}

template <typename Value>
std::size_t count_at_most(const Value* values, std::size_t size, Value limit) {
    std::size_t count = 0;
    std::size_t i = 0;
    for (; i + 64 <= size; i += 64) {
        count += count_bits(at_most_64(values + i, limit));
    }
    for (; i < size; i += kLaneCount) {
        count += count_bits(at_most_16(values + i, limit));
    }
    return count;
}

template <typename Value>
std::size_t find_at_most(const Value* values, std::size_t size, Value limit,
                         std::uint32_t* indices) {
    std::size_t count = 0;
    const auto write = [&](std::uint64_t found, std::size_t i) {
        for (; found != 0; found &= found - 1) {
            indices[count++] = static_cast<std::uint32_t>(i) + lowest_bit(found);
        }
    };
    std::size_t i = 0;
    for (; i + 64 <= size; i += 64) {
        write(at_most_64(values + i, limit), i);
    }
    for (; i < size; i += kLaneCount) {
        write(at_most_16(values + i, limit), i);
    }
    return count;
}

template <typename Dot>
constexpr EncodeKernels encode_kernels_with() {
    return {integer_unary<Dot>,
            add_rows<std::int16_t>,
            add_rows<std::int32_t>,
            add_rows_narrow,
            narrow,
            count_at_most<std::int32_t>,
            count_at_most<std::int16_t>,
            find_at_most<std::int32_t>,
            find_at_most<std::int16_t>};
}

}  // namespace
}  // namespace wsdhq::kernels
