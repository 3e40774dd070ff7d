// The kernels of search at every level of this machine against the definitions in
// search_kernels.hpp, to the bit. Arrays have exactly the length that the definitions name, so that
// the address sanitizer sees a read beyond them.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "check.hpp"
#include "kernels.hpp"

using namespace wsdhq;
using kernels::kBlockSize;
using kernels::kBlockWords;
using kernels::kTableSize;

namespace {

template <typename Body>
void for_each_level(Body&& body) {
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        body((*level)->search);
    }
}

}  // namespace

WSDHQ_CASE(look_up_scores_are_sums_in_order) {
    for_each_level([](const kernels::SearchKernels& level) {
        test::Numbers numbers(3);
        for (const std::size_t m : {1, 2, 3, 8, 11, 64}) {
            const auto table = numbers.values(m * kTableSize);
            const auto codes = numbers.codes(m * kBlockSize, kTableSize);
            std::vector<float> scores(kBlockSize);
            level.look_up_scores(table.data(), m, codes.data(), scores.data());
            for (std::size_t n = 0; n < kBlockSize; ++n) {
                float sum = table[codes[n]];
                for (std::size_t j = 1; j < m; ++j) {
                    sum += table[j * kTableSize + codes[j * kBlockSize + n]];
                }
                WSDHQ_CHECK(scores[n] == sum);
            }
        }
    });
}

WSDHQ_CASE(a_sum_of_one_entry_keeps_its_sign_of_zero) {
    for_each_level([](const kernels::SearchKernels& level) {
        const std::vector<float> table(kTableSize, -0.0f);
        const std::vector<std::uint8_t> codes(kBlockSize);
        std::vector<float> scores(kBlockSize);
        level.look_up_scores(table.data(), 1, codes.data(), scores.data());
        for (const float score : scores) {
            WSDHQ_CHECK(std::bit_cast<std::uint32_t>(score) == 0x80000000u);
        }
    });
}

WSDHQ_CASE(losses_are_rounded_down_and_clamped) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float huge = std::numeric_limits<float>::max();
    for_each_level([](const kernels::SearchKernels& level) {
        test::Numbers numbers(4);
        std::vector<float> table = numbers.values(kTableSize);
        const float special[] = {0.0f,
                                 -0.0f,
                                 1e-45f,
                                 -1e-40f,
                                 1.0f,
                                 2.0f,
                                 -huge,
                                 huge,
                                 -infinity,
                                 infinity,
                                 1e15f,
                                 -1e15f,
                                 0.5f,
                                 -0.25f,
                                 1e-38f,
                                 -1e-38f,
                                 -254.999f,
                                 -255.0f,
                                 std::numeric_limits<float>::quiet_NaN()};
        std::copy(std::begin(special), std::end(special), table.begin() + 100);
        for (const float largest : {1.0f, 0.0f, -3.0f, huge, -huge, 1e-40f}) {
            for (const float step : {0.0f, 1.0f, 100.0f, 1e-30f, 1e30f, 12.7f, infinity}) {
                std::vector<std::uint8_t> losses(kTableSize);
                level.quantize_losses(table.data(), largest, step, losses.data());
                for (std::size_t k = 0; k < kTableSize; ++k) {
                    const float loss = (largest - table[k]) * step;
                    int expected = 0;
                    if (loss >= 255.0f) {
                        expected = 255;
                    } else if (loss > 0.0f) {
                        expected = static_cast<int>(loss);
                    }
                    WSDHQ_CHECK(losses[k] == expected);
                }
            }
        }
    });
}

WSDHQ_CASE(survivors_are_those_whose_saturated_sum_is_in_the_threshold) {
    for_each_level([](const kernels::SearchKernels& level) {
        test::Numbers numbers(5);
        for (const std::size_t rows : {1, 2, 3, 4, 7, 8, 9, 64, 65}) {
            for (const std::size_t queries : {1, 2, 3, 4, 5, 7, 64}) {
                if (rows * queries > 900) {
                    continue;
                }
                const auto codes = numbers.codes(rows * kBlockSize, kTableSize);
                // Small entries, so that sums end on both sides of thresholds and of 255.
                auto losses = numbers.codes(queries * rows * kTableSize, 400 / rows + 1);
                std::vector<std::uint8_t> thresholds(queries);
                for (std::size_t q = 0; q < queries; ++q) {
                    const std::uint8_t some[] = {0, 1, 127, 128, 200, 254};
                    thresholds[q] = some[numbers.word() % 6];
                }
                std::vector<std::uint64_t> survivors(queries * kBlockWords, 0x5555);
                const std::uint64_t any =
                    level.filter_block(codes.data(), rows, losses.data(), thresholds.data(),
                                       queries, survivors.data());
                for (std::size_t q = 0; q < queries; ++q) {
                    bool has_any = false;
                    for (std::size_t n = 0; n < kBlockSize; ++n) {
                        unsigned sum = 0;
                        for (std::size_t row = 0; row < rows; ++row) {
                            sum +=
                                losses[(q * rows + row) * kTableSize + codes[row * kBlockSize + n]];
                        }
                        const bool expected = std::min(sum, 255u) <= thresholds[q];
                        const std::uint64_t word = survivors[q * kBlockWords + n / 64];
                        WSDHQ_CHECK((word >> (n % 64) & 1) == (expected ? 1u : 0u));
                        has_any = has_any || expected;
                    }
                    WSDHQ_CHECK((any >> q & 1) == (has_any ? 1u : 0u));
                }
                WSDHQ_CHECK(queries == 64 || any >> queries == 0);
            }
        }
    });
}

WSDHQ_CASE(squared_norms_are_sums_in_eight_lanes) {
    for_each_level([](const kernels::SearchKernels& level) {
        test::Numbers numbers(6);
        for (const std::size_t m : {1, 2, 5}) {
            for (const std::size_t dim : {1, 2, 4, 5, 7, 8, 9, 12, 13, 16, 23, 128}) {
                std::vector<std::vector<float>> codewords;
                std::vector<const float*> pointers;
                for (std::size_t j = 0; j < m; ++j) {
                    codewords.push_back(numbers.values(dim));
                }
                for (const auto& codeword : codewords) {
                    pointers.push_back(codeword.data());
                }
                double lanes[8] = {};
                for (std::size_t d = 0; d < dim; ++d) {
                    double sum = 0.0;
                    for (std::size_t j = 0; j < m; ++j) {
                        sum += codewords[j][d];
                    }
                    const double square = sum * sum;
                    lanes[d % 8] += square;
                }
                const double expected = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                                        ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
                WSDHQ_CHECK(level.squared_norm(pointers.data(), m, dim) == expected);
            }
        }
    });
}

WSDHQ_CASE(packed_masks_have_a_bit_where_a_byte_is_not_zero) {
    for_each_level([](const kernels::SearchKernels& level) {
        test::Numbers numbers(13);
        for (const std::size_t num_words : {0, 1, 2, 9}) {
            std::vector<std::uint8_t> mask(num_words * 64);
            for (std::uint8_t& byte : mask) {
                const std::uint8_t some[] = {0, 0, 1, 127, 128, 255};
                byte = some[numbers.word() % 6];
            }
            std::vector<std::uint64_t> words(num_words, 0x5555);
            const std::size_t count = level.pack_mask(mask.data(), num_words, words.data());
            std::size_t expected = 0;
            for (std::size_t i = 0; i < mask.size(); ++i) {
                expected += mask[i] != 0;
                WSDHQ_CHECK((words[i / 64] >> (i % 64) & 1) == (mask[i] != 0 ? 1u : 0u));
            }
            WSDHQ_CHECK(count == expected);
        }
    });
}
