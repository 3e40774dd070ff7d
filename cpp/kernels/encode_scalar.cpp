// The inner loops of encoding in the instructions of the baseline: the definition.
#include "encode_kernels.hpp"

namespace wsdhq::kernels {
namespace {

void integer_unary(const std::int16_t* vectors, std::size_t num_vectors, std::size_t num_pairs,
                   const std::int16_t* packed, std::size_t num_panels,
                   const std::int32_t* vector_shifts, const std::int32_t* column_shifts,
                   const std::int32_t* column_terms, std::int32_t* unary) {
    const std::size_t num_columns = num_panels * kLaneCount;
    for (std::size_t panel = 0; panel < num_panels; ++panel) {
        const std::int16_t* weights = packed + panel * num_pairs * kLaneCount * 2;
        for (std::size_t n = 0; n < num_vectors; ++n) {
            const std::int16_t* vector = vectors + n * num_pairs * 2;
            std::int32_t sums[kLaneCount] = {};
            for (std::size_t p = 0; p < num_pairs; ++p) {
                const std::int32_t left = vector[2 * p];
                const std::int32_t right = vector[2 * p + 1];
                const std::int16_t* pair = weights + p * kLaneCount * 2;
                for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
                    sums[lane] += left * pair[2 * lane] + right * pair[2 * lane + 1];
                }
            }
            for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
                const std::size_t c = panel * kLaneCount + lane;
                const std::int32_t shift = vector_shifts[n] + column_shifts[c];
                unary[n * num_columns + c] =
                    column_terms[c] - (sums[lane] >> (shift < 31 ? shift : 31));
            }
        }
    }
}

template <typename Entry>
std::int32_t add_rows(std::int32_t base, const std::int32_t* first, const Entry* const* rows,
                      std::size_t num_rows, std::size_t size, std::int32_t* sums,
                      std::int32_t* lane_minima) {
    for (std::size_t k = 0; k < size; ++k) {
        sums[k] = base + first[k];
    }
    for (std::size_t r = 0; r < num_rows; ++r) {
        const Entry* row = rows[r];
        for (std::size_t k = 0; k < size; ++k) {
            sums[k] += row[k];
        }
    }
    for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
        lane_minima[lane] = sums[lane];
    }
    for (std::size_t k = kLaneCount; k < size; k += kLaneCount) {
        for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
            const std::int32_t value = sums[k + lane];
            lane_minima[lane] = value < lane_minima[lane] ? value : lane_minima[lane];
        }
    }
    std::int32_t least = lane_minima[0];
    for (std::size_t lane = 1; lane < kLaneCount; ++lane) {
        least = lane_minima[lane] < least ? lane_minima[lane] : least;
    }
    return least;
}

std::int16_t add_within_range(std::int16_t a, std::int16_t b) {
    const int sum = a + b;
    return static_cast<std::int16_t>(sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum);
}

std::int16_t add_rows_narrow(std::int16_t base, const std::int16_t* first,
                             const std::int16_t* const* rows, std::size_t num_rows,
                             std::size_t size, std::int16_t* sums, std::int16_t* lane_minima) {
    for (std::size_t k = 0; k < size; ++k) {
        sums[k] = add_within_range(base, first[k]);
    }
    for (std::size_t r = 0; r < num_rows; ++r) {
        for (std::size_t k = 0; k < size; ++k) {
            sums[k] = add_within_range(sums[k], rows[r][k]);
        }
    }
    for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
        lane_minima[lane] = sums[lane];
    }
    for (std::size_t k = kLaneCount; k < size; ++k) {
        std::int16_t& minimum = lane_minima[k % kLaneCount];
        minimum = sums[k] < minimum ? sums[k] : minimum;
    }
    std::int16_t least = lane_minima[0];
    for (std::size_t lane = 1; lane < kLaneCount; ++lane) {
        least = lane_minima[lane] < least ? lane_minima[lane] : least;
    }
    return least;
}

void narrow(const std::int32_t* values, std::size_t size, std::int16_t* narrowed) {
    std::int32_t least = values[0];
    for (std::size_t k = 1; k < size; ++k) {
        least = values[k] < least ? values[k] : least;
    }
    for (std::size_t k = 0; k < size; ++k) {
        const std::int32_t difference = values[k] - least;
        narrowed[k] = static_cast<std::int16_t>(difference < 32767 ? difference : 32767);
    }
}

template <typename Value>
std::size_t count_at_most(const Value* values, std::size_t size, Value limit) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; ++i) {
        count += values[i] <= limit;
    }
    return count;
}

template <typename Value>
std::size_t find_at_most(const Value* values, std::size_t size, Value limit,
                         std::uint32_t* indices) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; ++i) {
        if (values[i] <= limit) {
            indices[count++] = static_cast<std::uint32_t>(i);
        }
    }
    return count;
}

}  // namespace

const EncodeKernels& encode_kernels_scalar() {
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
