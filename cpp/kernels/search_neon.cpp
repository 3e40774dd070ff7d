// Look-ups in NEON: a table of 256 bytes is four look-ups of 64 bytes.
#include <arm_neon.h>

#include "search_kernels.hpp"

namespace wsdhq::kernels {
namespace {

static_assert(kBlockSize % 16 == 0 && kTableSize == 4 * 64);

constexpr std::size_t kChunks = kBlockSize / 16;

// Bit n of the result: byte n of `mask` is set.
std::uint64_t bits_of(uint8x16_t mask) {
    static const std::uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                            1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t bits = vandq_u8(mask, vld1q_u8(places));
    return std::uint64_t{vaddv_u8(vget_low_u8(bits))} | std::uint64_t{vaddv_u8(vget_high_u8(bits))}
                                                            << 8;
}

std::uint64_t filter_block(const std::uint8_t* codes, std::size_t num_rows,
                           const std::uint8_t* losses, const std::uint8_t* thresholds,
                           std::size_t num_queries, std::uint64_t* survivors) {
    const uint8x16_t step = vdupq_n_u8(64);
    std::uint64_t any = 0;
    for (std::size_t q = 0; q < num_queries; ++q) {
        uint8x16_t sums[kChunks];
        for (std::size_t chunk = 0; chunk < kChunks; ++chunk) {
            sums[chunk] = vdupq_n_u8(0);
        }
        for (std::size_t row = 0; row < num_rows; ++row) {
            const std::uint8_t* table = losses + (q * num_rows + row) * kTableSize;
            const uint8x16x4_t first = vld1q_u8_x4(table);
            const uint8x16x4_t second = vld1q_u8_x4(table + 64);
            const uint8x16x4_t third = vld1q_u8_x4(table + 128);
            const uint8x16x4_t fourth = vld1q_u8_x4(table + 192);
            for (std::size_t chunk = 0; chunk < kChunks; ++chunk) {
                // An index of 64 or more leaves the entry as it was; the subtraction wraps.
                uint8x16_t code = vld1q_u8(codes + row * kBlockSize + chunk * 16);
                uint8x16_t entry = vqtbl4q_u8(first, code);
                code = vsubq_u8(code, step);
                entry = vqtbx4q_u8(entry, second, code);
                code = vsubq_u8(code, step);
                entry = vqtbx4q_u8(entry, third, code);
                code = vsubq_u8(code, step);
                entry = vqtbx4q_u8(entry, fourth, code);
                sums[chunk] = vqaddq_u8(sums[chunk], entry);
            }
        }
        const uint8x16_t threshold = vdupq_n_u8(thresholds[q]);
        for (std::size_t word = 0; word < kBlockWords; ++word) {
            std::uint64_t bits = 0;
            for (std::size_t part = 0; part < 4; ++part) {
                bits |= bits_of(vcleq_u8(sums[word * 4 + part], threshold)) << (part * 16);
            }
            survivors[q * kBlockWords + word] = bits;
            any |= std::uint64_t{bits != 0} << q;
        }
    }
    return any;
}

std::size_t pack_mask(const std::uint8_t* mask, std::size_t num_words, std::uint64_t* words) {
    std::size_t total = 0;
    for (std::size_t w = 0; w < num_words; ++w) {
        std::uint64_t word = 0;
        for (std::size_t part = 0; part < 4; ++part) {
            const uint8x16_t bytes = vld1q_u8(mask + w * 64 + part * 16);
            const uint8x16_t marked = vtstq_u8(bytes, bytes);
            word |= bits_of(marked) << (part * 16);
            total += vaddvq_u8(vshrq_n_u8(marked, 7));
        }
        words[w] = word;
    }
    return total;
}

}  // namespace

const SearchKernels& search_kernels_neon() {
    static const SearchKernels kernels{search_kernels_scalar().look_up_scores,
                                       search_kernels_scalar().quantize_losses, filter_block,
                                       search_kernels_scalar().squared_norm, pack_mask};
    return kernels;
}

}  // namespace wsdhq::kernels
