// The loops of encoding in NEON.
#include <arm_neon.h>

#include "encode_kernels.hpp"

namespace wsdhq::kernels {
namespace {

constexpr std::size_t kLanes = 4;  // of a register; a panel is four of them
constexpr std::size_t kRegisters = kLaneCount / kLanes;

template <std::size_t Rows>
void unary_tile(const std::int16_t* vectors, std::size_t num_pairs, const std::int16_t* packed,
                const std::int32_t* vector_shifts, const std::int32_t* column_shifts,
                const std::int32_t* column_terms, std::int32_t* unary, std::size_t num_columns) {
    int32x4_t sums[Rows][kRegisters];
    for (std::size_t row = 0; row < Rows; ++row) {
        for (std::size_t i = 0; i < kRegisters; ++i) {
            sums[row][i] = vdupq_n_s32(0);
        }
    }
    for (std::size_t p = 0; p < num_pairs; ++p) {
        int16x4x2_t weights[kRegisters];  // the first and the second of each pair
        for (std::size_t i = 0; i < kRegisters; ++i) {
            weights[i] = vld2_s16(packed + (p * kLaneCount + i * kLanes) * 2);
        }
        for (std::size_t row = 0; row < Rows; ++row) {
            const std::int16_t* pair = vectors + (row * num_pairs + p) * 2;
            for (std::size_t i = 0; i < kRegisters; ++i) {
                sums[row][i] = vmlal_n_s16(sums[row][i], weights[i].val[0], pair[0]);
                sums[row][i] = vmlal_n_s16(sums[row][i], weights[i].val[1], pair[1]);
            }
        }
    }
    for (std::size_t row = 0; row < Rows; ++row) {
        for (std::size_t i = 0; i < kRegisters; ++i) {
            // A shift to the left by a negative count is one to the right; of 31 at most, since
            // only the lowest byte of a count is read.
            const int32x4_t shift = vminq_s32(
                vaddq_s32(vld1q_s32(column_shifts + i * kLanes), vdupq_n_s32(vector_shifts[row])),
                vdupq_n_s32(31));
            vst1q_s32(unary + row * num_columns + i * kLanes,
                      vsubq_s32(vld1q_s32(column_terms + i * kLanes),
                                vshlq_s32(sums[row][i], vnegq_s32(shift))));
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

int32x4_t load_entries(const std::int16_t* from) { return vmovl_s16(vld1_s16(from)); }
int32x4_t load_entries(const std::int32_t* from) { return vld1q_s32(from); }

template <typename Entry>
std::int32_t add_rows(std::int32_t base, const std::int32_t* first, const Entry* const* rows,
                      std::size_t num_rows, std::size_t size, std::int32_t* sums,
                      std::int32_t* lane_minima) {
    const int32x4_t bases = vdupq_n_s32(base);
    int32x4_t minima[kRegisters];
    for (std::size_t i = 0; i < kRegisters; ++i) {
        minima[i] = vdupq_n_s32(INT32_MAX);
    }
    for (std::size_t k = 0; k < size; k += kLaneCount) {
        int32x4_t parts[kRegisters];
        for (std::size_t i = 0; i < kRegisters; ++i) {
            parts[i] = vaddq_s32(bases, vld1q_s32(first + k + i * kLanes));
        }
        for (std::size_t r = 0; r < num_rows; ++r) {
            const Entry* row = rows[r] + k;
            for (std::size_t i = 0; i < kRegisters; ++i) {
                parts[i] = vaddq_s32(parts[i], load_entries(row + i * kLanes));
            }
        }
        for (std::size_t i = 0; i < kRegisters; ++i) {
            vst1q_s32(sums + k + i * kLanes, parts[i]);
            minima[i] = vminq_s32(minima[i], parts[i]);
        }
    }
    int32x4_t least = minima[0];
    for (std::size_t i = 0; i < kRegisters; ++i) {
        vst1q_s32(lane_minima + i * kLanes, minima[i]);
        least = vminq_s32(least, minima[i]);
    }
    return vminvq_s32(least);
}

std::int16_t add_rows_narrow(std::int16_t base, const std::int16_t* first,
                             const std::int16_t* const* rows, std::size_t num_rows,
                             std::size_t size, std::int16_t* sums, std::int16_t* lane_minima) {
    const int16x8_t bases = vdupq_n_s16(base);
    int16x8_t minima[2] = {vdupq_n_s16(32767), vdupq_n_s16(32767)};
    for (std::size_t k = 0; k < size; k += kLaneCount) {
        int16x8_t low = vqaddq_s16(bases, vld1q_s16(first + k));
        int16x8_t high = vqaddq_s16(bases, vld1q_s16(first + k + 8));
        for (std::size_t r = 0; r < num_rows; ++r) {
            low = vqaddq_s16(low, vld1q_s16(rows[r] + k));
            high = vqaddq_s16(high, vld1q_s16(rows[r] + k + 8));
        }
        vst1q_s16(sums + k, low);
        vst1q_s16(sums + k + 8, high);
        minima[0] = vminq_s16(minima[0], low);
        minima[1] = vminq_s16(minima[1], high);
    }
    vst1q_s16(lane_minima, minima[0]);
    vst1q_s16(lane_minima + 8, minima[1]);
    return vminvq_s16(vminq_s16(minima[0], minima[1]));
}

void narrow(const std::int32_t* values, std::size_t size, std::int16_t* narrowed) {
    int32x4_t minima = vld1q_s32(values);
    for (std::size_t k = kLanes; k < size; k += kLanes) {
        minima = vminq_s32(minima, vld1q_s32(values + k));
    }
    const int32x4_t least = vdupq_n_s32(vminvq_s32(minima));
    for (std::size_t k = 0; k < size; k += kLanes) {
        vst1_s16(narrowed + k, vqmovn_s32(vsubq_s32(vld1q_s32(values + k), least)));
    }
}

bool any_at_most(const std::int32_t* values, std::int32_t limit) {
    return vminvq_s32(vld1q_s32(values)) <= limit;
}
bool any_at_most(const std::int16_t* values, std::int16_t limit) {
    return vminv_s16(vld1_s16(values)) <= limit;
}

std::size_t count_at_most(const std::int32_t* values, std::size_t size, std::int32_t limit) {
    const int32x4_t limits = vdupq_n_s32(limit);
    uint32x4_t counts = vdupq_n_u32(0);
    for (std::size_t i = 0; i < size; i += kLanes) {
        counts = vsubq_u32(counts, vcleq_s32(vld1q_s32(values + i), limits));
    }
    return vaddvq_u32(counts);
}

std::size_t count_at_most_narrow(const std::int16_t* values, std::size_t size, std::int16_t limit) {
    const int16x8_t limits = vdupq_n_s16(limit);
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; i += 8) {
        count += vaddvq_u16(vshrq_n_u16(vcleq_s16(vld1q_s16(values + i), limits), 15));
    }
    return count;
}

template <typename Value>
std::size_t find_at_most(const Value* values, std::size_t size, Value limit,
                         std::uint32_t* indices) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; i += kLanes) {
        if (!any_at_most(values + i, limit)) {
            continue;
        }
        for (std::size_t lane = i; lane < i + kLanes; ++lane) {
            if (values[lane] <= limit) {
                indices[count++] = static_cast<std::uint32_t>(lane);
            }
        }
    }
    return count;
}

}  // namespace

const EncodeKernels& encode_kernels_neon() {
    static constexpr EncodeKernels kernels{integer_unary,
                                           add_rows<std::int16_t>,
                                           add_rows<std::int32_t>,
                                           add_rows_narrow,
                                           narrow,
                                           count_at_most,
                                           count_at_most_narrow,
                                           find_at_most<std::int32_t>,
                                           find_at_most<std::int16_t>};
    return kernels;
}

}  // namespace wsdhq::kernels
