// The loops of encoding in AVX-512, shared by the files with and without VNNI. Everything is
// internal to the file that includes it.
#pragma once

#include <immintrin.h>

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
            std::int32_t pair;
            __builtin_memcpy(&pair, vectors + (row * num_pairs + p) * 2, sizeof pair);
            const __m512i value = _mm512_set1_epi32(pair);
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

__m512i load_entries(const std::int16_t* from) {
    return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
__m512i load_entries(const std::int32_t* from) { return _mm512_loadu_si512(from); }

// Registers * kLaneCount codewords from k on; returns their minima by lane.
template <std::size_t Registers, typename Entry>
__m512i add_rows_part(std::int32_t base, const std::int32_t* first, const Entry* const* rows,
                      std::size_t num_rows, std::size_t k, std::int32_t* sums) {
    __m512i parts[Registers];
    const __m512i bases = _mm512_set1_epi32(base);
    for (std::size_t i = 0; i < Registers; ++i) {
        parts[i] = _mm512_add_epi32(bases, _mm512_loadu_si512(first + k + i * kLaneCount));
    }
    for (std::size_t r = 0; r < num_rows; ++r) {
        const Entry* row = rows[r] + k;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < Registers; ++i) {
            parts[i] = _mm512_add_epi32(parts[i], load_entries(row + i * kLaneCount));
        }
    }
    __m512i minima = parts[0];
    for (std::size_t i = 0; i < Registers; ++i) {
        _mm512_storeu_si512(sums + k + i * kLaneCount, parts[i]);
        minima = _mm512_min_epi32(minima, parts[i]);
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

std::size_t count_at_most(const std::int32_t* values, std::size_t size, std::int32_t limit) {
    const __m512i limits = _mm512_set1_epi32(limit);
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; i += kLaneCount) {
        const __mmask16 found = _mm512_cmple_epi32_mask(_mm512_loadu_si512(values + i), limits);
        count += static_cast<std::size_t>(__builtin_popcount(found));
    }
    return count;
}

std::size_t find_at_most(const std::int32_t* values, std::size_t size, std::int32_t limit,
                         std::uint32_t* indices) {
    const __m512i limits = _mm512_set1_epi32(limit);
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; i += kLaneCount) {
        unsigned found = _mm512_cmple_epi32_mask(_mm512_loadu_si512(values + i), limits);
        for (; found != 0; found &= found - 1) {
            indices[count++] =
                static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctz(found));
        }
    }
    return count;
}

template <typename Dot>
constexpr EncodeKernels encode_kernels_with() {
    return {integer_unary<Dot>, add_rows<std::int16_t>, add_rows<std::int32_t>, count_at_most,
            find_at_most};
}

}  // namespace
}  // namespace wsdhq::kernels
