// The inner loops of encoding (method section 4), in whole numbers: sums of whole numbers have no
// order, so that every level agrees whatever its registers are.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wsdhq::kernels {

// Codewords of a codebook are padded to a multiple of this many.
inline constexpr std::size_t kLaneCount = 16;

// Rows of 16-bit entries whose sums, in the order in which they come, are added in 16 bits.
inline constexpr std::size_t kNarrowRows = 7;

struct EncodeKernels {
    // The unary terms of vectors, a matrix product with a packed right-hand side.
    //   vectors        (num_vectors, num_pairs, 2)
    //   packed         (num_panels, num_pairs, kLaneCount, 2): column c is in panel c / kLaneCount
    //   vector_shifts  (num_vectors)
    //   column_shifts  (num_panels * kLaneCount); with a vector's shift never below 0
    //   column_terms   (num_panels * kLaneCount)
    //   unary          (num_vectors, num_panels * kLaneCount), written:
    // unary[n, c] = column_terms[c]
    //             - ((sum_p sum_i vectors[n, p, i] * packed[., p, c, i]) >> shift[n] + shift[c])
    // The shift is arithmetic; one of 31 or more leaves the sign. No sum over a part of the pairs
    // may leave the range of 32 bits.
    void (*integer_unary)(const std::int16_t* vectors, std::size_t num_vectors,
                          std::size_t num_pairs, const std::int16_t* packed, std::size_t num_panels,
                          const std::int32_t* vector_shifts, const std::int32_t* column_shifts,
                          const std::int32_t* column_terms, std::int32_t* unary);

    // Costs of the codewords of one codebook, given codewords of others.
    //   first       (size), size a multiple of kLaneCount
    //   rows        (num_rows) pointers to (size)
    //   sums        (size), written: base + first[k] + sum_r rows[r][k]
    //   lane_minima (kLaneCount), written: the least sums[k] with k % kLaneCount = lane
    // Returns the least of the sums. No sum may leave the range of 32 bits, nor that of
    // kNarrowRows rows of 16 bits the range of 16 bits.
    std::int32_t (*add_rows_16)(std::int32_t base, const std::int32_t* first,
                                const std::int16_t* const* rows, std::size_t num_rows,
                                std::size_t size, std::int32_t* sums, std::int32_t* lane_minima);
    std::int32_t (*add_rows_32)(std::int32_t base, const std::int32_t* first,
                                const std::int32_t* const* rows, std::size_t num_rows,
                                std::size_t size, std::int32_t* sums, std::int32_t* lane_minima);

    // The same in 16 bits, where each addition stops at the ends of the range (-32768, 32767):
    // first base + first[k], then the rows in their order.
    std::int16_t (*add_rows_narrow)(std::int16_t base, const std::int16_t* first,
                                    const std::int16_t* const* rows, std::size_t num_rows,
                                    std::size_t size, std::int16_t* sums,
                                    std::int16_t* lane_minima);

    // narrow[k] = min(values[k] - least, 32767), `least` being the least of the values. `size` is a
    // multiple of kLaneCount; the differences are below 2^31.
    void (*narrow)(const std::int32_t* values, std::size_t size, std::int16_t* narrow);

    // How many of the values are <= limit. `size` is a multiple of kLaneCount.
    std::size_t (*count_at_most)(const std::int32_t* values, std::size_t size, std::int32_t limit);
    std::size_t (*count_at_most_narrow)(const std::int16_t* values, std::size_t size,
                                        std::int16_t limit);

    // Writes the indices of the values <= limit, ascending, and returns how many there are.
    //   values  (size), size a multiple of kLaneCount
    //   indices (size): only as many are written as there are
    std::size_t (*find_at_most)(const std::int32_t* values, std::size_t size, std::int32_t limit,
                                std::uint32_t* indices);
    std::size_t (*find_at_most_narrow)(const std::int16_t* values, std::size_t size,
                                       std::int16_t limit, std::uint32_t* indices);
};

const EncodeKernels& encode_kernels_scalar();
const EncodeKernels& encode_kernels_avx2();
const EncodeKernels& encode_kernels_avx512();
const EncodeKernels& encode_kernels_avx512_vnni();
const EncodeKernels& encode_kernels_neon();

}  // namespace wsdhq::kernels
