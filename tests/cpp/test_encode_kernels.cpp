// The loops of encoding against the definitions in encode_kernels.hpp, to the bit: at every level
// of this machine and in the forms that its dispatch passes over. Arrays have exactly the length
// that the definitions name, so that the address sanitizer sees a read or a write beyond them.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "check.hpp"
#include "cpu_features.hpp"
#include "kernels.hpp"

using namespace wsdhq;
using kernels::kLaneCount;
using kernels::kNarrowRows;

namespace {

constexpr std::size_t kSizes[] = {16, 32, 48, 64, 80, 112, 240, 256, 272};

template <typename Body>
void for_each_form(Body&& body) {
    const auto run = [&](const std::string& name, const kernels::EncodeKernels& form) {
        try {
            body(form);
        } catch (const std::exception& error) {
            throw std::runtime_error(name + ": " + error.what());
        }
    };
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        run((*level)->name, (*level)->encode);
    }
#if defined(__x86_64__) || defined(_M_X64)
    // The level avx512 is made of one of these two.
    const kernels::CpuFeatures features = kernels::cpu_features();
    if (features.avx512) {
        run("avx512 without VNNI", kernels::encode_kernels_avx512());
    }
    if (features.avx512_vnni) {
        run("avx512 with VNNI", kernels::encode_kernels_avx512_vnni());
    }
#endif
}

// In [-bound, bound], the ends of it often.
std::int32_t whole(test::Numbers& numbers, std::int64_t bound) {
    const std::uint32_t kind = numbers.word() % 8;
    if (kind < 2) {
        return static_cast<std::int32_t>(kind == 0 ? bound : -bound);
    }
    return static_cast<std::int32_t>(static_cast<std::int64_t>(numbers.word()) % (2 * bound + 1) -
                                     bound);
}

template <typename Value>
std::vector<Value> wholes(test::Numbers& numbers, std::size_t count, std::int64_t bound) {
    std::vector<Value> out(count);
    for (Value& each : out) {
        each = static_cast<Value>(whole(numbers, bound));
    }
    return out;
}

// Any 16-bit number, both ends of the range often.
std::vector<std::int16_t> any_narrow(test::Numbers& numbers, std::size_t count) {
    std::vector<std::int16_t> out(count);
    for (auto& each : out) {
        const std::uint32_t kind = numbers.word() % 8;
        each = kind == 0   ? std::int16_t{-32768}
               : kind == 1 ? std::int16_t{32767}
                           : static_cast<std::int16_t>(numbers.word());
    }
    return out;
}

struct UnaryInput {
    std::size_t num_vectors, num_pairs, num_panels;
    std::vector<std::int16_t> vectors, packed;
    std::vector<std::int32_t> vector_shifts, column_shifts, column_terms;

    std::vector<std::int32_t> expected() const {
        const std::size_t num_columns = num_panels * kLaneCount;
        std::vector<std::int32_t> out(num_vectors * num_columns);
        for (std::size_t n = 0; n < num_vectors; ++n) {
            for (std::size_t c = 0; c < num_columns; ++c) {
                std::int64_t sum = 0;
                for (std::size_t p = 0; p < num_pairs; ++p) {
                    for (std::size_t i = 0; i < 2; ++i) {
                        const std::size_t panel = c / kLaneCount;
                        const std::size_t lane = c % kLaneCount;
                        sum += std::int64_t{vectors[(n * num_pairs + p) * 2 + i]} *
                               packed[((panel * num_pairs + p) * kLaneCount + lane) * 2 + i];
                    }
                }
                const std::int32_t shift = vector_shifts[n] + column_shifts[c];
                const std::int64_t shifted = shift >= 31 ? (sum < 0 ? -1 : 0) : sum >> shift;
                out[n * num_columns + c] = static_cast<std::int32_t>(column_terms[c] - shifted);
            }
        }
        return out;
    }

    std::vector<std::int32_t> computed(const kernels::EncodeKernels& form) const {
        std::vector<std::int32_t> out(num_vectors * num_panels * kLaneCount);
        form.integer_unary(vectors.data(), num_vectors, num_pairs, packed.data(), num_panels,
                           vector_shifts.data(), column_shifts.data(), column_terms.data(),
                           out.data());
        return out;
    }
};

// base + first[k], then the rows, each addition through `add`.
template <typename Sum, typename Entry, typename Add>
std::vector<Sum> sums_of_rows(Sum base, const std::vector<Sum>& first,
                              const std::vector<std::vector<Entry>>& rows, Add&& add) {
    std::vector<Sum> sums(first.size());
    for (std::size_t k = 0; k < first.size(); ++k) {
        sums[k] = add(base, first[k]);
        for (const auto& row : rows) {
            sums[k] = add(sums[k], row[k]);
        }
    }
    return sums;
}

template <typename Sum, typename Entry, typename Kernel>
void check_rows(Kernel kernel, Sum base, const std::vector<Sum>& first,
                const std::vector<std::vector<Entry>>& rows, const std::vector<Sum>& expected) {
    const std::size_t size = first.size();
    std::vector<const Entry*> pointers;
    for (const auto& row : rows) {
        pointers.push_back(row.data());
    }
    std::vector<Sum> sums(size);
    std::vector<Sum> minima(kLaneCount);
    const Sum least =
        kernel(base, first.data(), pointers.data(), rows.size(), size, sums.data(), minima.data());
    WSDHQ_CHECK(sums == expected);
    WSDHQ_CHECK(least == *std::min_element(expected.begin(), expected.end()));
    for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
        Sum minimum = expected[lane];
        for (std::size_t k = lane; k < size; k += kLaneCount) {
            minimum = std::min(minimum, expected[k]);
        }
        WSDHQ_CHECK(minima[lane] == minimum);
    }
}

// Entries as large as the definition lets their sums grow.
template <typename Entry, typename Kernel>
void check_wide_sums(Kernel kernel, std::uint64_t seed) {
    test::Numbers numbers(seed);
    constexpr std::int64_t largest_sum = std::numeric_limits<std::int32_t>::max();
    for (const std::size_t size : kSizes) {
        for (std::size_t num_rows = 0; num_rows <= 17; ++num_rows) {
            const auto taken = static_cast<std::int64_t>(num_rows == 0 ? 1 : num_rows);
            const std::int64_t bound = std::is_same_v<Entry, std::int16_t>
                                           ? 32767 / std::min<std::int64_t>(taken, kNarrowRows)
                                           : largest_sum / 2 / taken;
            std::vector<std::vector<Entry>> rows;
            for (std::size_t r = 0; r < num_rows; ++r) {
                rows.push_back(wholes<Entry>(numbers, size, bound));
            }
            const auto base = whole(numbers, largest_sum / 4);
            // The rest of the range, so that sums meet both of its ends.
            const auto first =
                wholes<std::int32_t>(numbers, size, largest_sum - largest_sum / 4 - bound * taken);
            const auto expected = sums_of_rows(
                base, first, rows, [](std::int32_t a, std::int32_t b) { return a + b; });
            check_rows(kernel, base, first, rows, expected);
        }
    }
}

std::int16_t add_within_range(std::int16_t a, std::int16_t b) {
    return static_cast<std::int16_t>(std::clamp(a + b, -32768, 32767));
}

template <typename Value, typename Count, typename Find>
void check_at_most(const std::vector<Value>& values, Value limit, Count count, Find find) {
    std::vector<std::uint32_t> expected;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i] <= limit) {
            expected.push_back(static_cast<std::uint32_t>(i));
        }
    }
    WSDHQ_CHECK(count(values.data(), values.size(), limit) == expected.size());
    // No longer than what may be written.
    std::vector<std::uint32_t> indices(expected.size());
    WSDHQ_CHECK(find(values.data(), values.size(), limit, indices.data()) == expected.size());
    WSDHQ_CHECK(indices == expected);
}

template <typename Value, typename Count, typename Find>
void check_limits(Count count, Find find, std::uint64_t seed) {
    test::Numbers numbers(seed);
    constexpr Value least = std::numeric_limits<Value>::min();
    constexpr Value most = std::numeric_limits<Value>::max();
    for (const std::size_t size : {0, 16, 32, 48, 64, 80, 112, 128, 240, 256, 272}) {
        for (const std::int64_t spread : {0, 1, 3, 20, 1000, 30000}) {
            auto values = wholes<Value>(numbers, size, spread);  // with many ties
            check_at_most(values, static_cast<Value>(-spread - 1), count, find);
            for (const std::int64_t limit : {-spread, -spread / 2, std::int64_t{-1},
                                             std::int64_t{0}, spread / 2, spread, spread + 1}) {
                check_at_most(values, static_cast<Value>(limit), count, find);
            }
            if (size != 0) {
                values.front() = most;
                values.back() = least;
                values[size / 2] = least;
            }
            for (const Value limit :
                 {least, static_cast<Value>(least + 1), static_cast<Value>(most - 1), most}) {
                check_at_most(values, limit, count, find);
            }
        }
    }
}

}  // namespace

WSDHQ_CASE(integer_unary_is_a_shifted_product) {
    for_each_form([](const kernels::EncodeKernels& form) {
        test::Numbers numbers(11);
        for (std::size_t num_vectors = 0; num_vectors <= 17; ++num_vectors) {
            for (const std::size_t num_pairs : {1, 2, 5, 33}) {
                for (std::size_t num_panels = 1; num_panels <= 5; ++num_panels) {
                    const std::size_t num_columns = num_panels * kLaneCount;
                    // 2 * num_pairs products of at most 2^30 together.
                    std::int64_t bound = 1;
                    while ((bound + 1) * (bound + 1) * 2 * static_cast<std::int64_t>(num_pairs) <
                           (std::int64_t{1} << 30)) {
                        ++bound;
                    }
                    UnaryInput input{
                        num_vectors,
                        num_pairs,
                        num_panels,
                        wholes<std::int16_t>(numbers, num_vectors * num_pairs * 2, bound),
                        wholes<std::int16_t>(numbers, num_columns * num_pairs * 2, bound),
                        std::vector<std::int32_t>(num_vectors),
                        std::vector<std::int32_t>(num_columns),
                        wholes<std::int32_t>(numbers, num_columns, 1 << 30)};
                    for (std::int32_t& shift : input.vector_shifts) {
                        shift = static_cast<std::int32_t>(numbers.word() % 41) - 20;
                    }
                    for (std::int32_t& shift : input.column_shifts) {
                        // From 0 to 40 together, and far beyond.
                        shift = numbers.word() % 16 == 0 ? 1 << 20 : 20;
                    }
                    WSDHQ_CHECK(input.computed(form) == input.expected());
                    for (std::int32_t& shift : input.vector_shifts) {
                        shift = static_cast<std::int32_t>(numbers.word() % 21);
                    }
                    for (std::int32_t& shift : input.column_shifts) {
                        shift = static_cast<std::int32_t>(numbers.word() % 21);
                    }
                    WSDHQ_CHECK(input.computed(form) == input.expected());
                }
            }
        }
    });
}

WSDHQ_CASE(integer_unary_reaches_both_ends_of_its_sums) {
    for_each_form([](const kernels::EncodeKernels& form) {
        constexpr std::int16_t low = -32768;
        constexpr std::int16_t high = 32767;
        // One pair holds the largest numbers, in each place of the pairs.
        for (const std::size_t num_pairs : {1, 2, 5}) {
            for (std::size_t at = 0; at < num_pairs; ++at) {
                for (const std::int32_t shift : {0, 1, 7, 30, 31, 32, 40}) {
                    UnaryInput input{3,
                                     num_pairs,
                                     3,
                                     std::vector<std::int16_t>(3 * num_pairs * 2),
                                     std::vector<std::int16_t>(3 * num_pairs * kLaneCount * 2),
                                     std::vector<std::int32_t>(3, shift),
                                     std::vector<std::int32_t>(3 * kLaneCount, 0),
                                     std::vector<std::int32_t>(3 * kLaneCount, 0)};
                    const std::int16_t ends[3] = {low, high, -high};
                    for (std::size_t n = 0; n < 3; ++n) {
                        for (std::size_t i = 0; i < 2; ++i) {
                            input.vectors[(n * num_pairs + at) * 2 + i] = ends[n];
                        }
                    }
                    for (std::size_t c = 0; c < 3 * kLaneCount; ++c) {
                        const std::size_t place =
                            (c / kLaneCount * num_pairs + at) * kLaneCount + c % kLaneCount;
                        input.packed[2 * place] =
                            c % 3 == 0 ? high : static_cast<std::int16_t>(-high);
                        input.packed[2 * place + 1] = c % 2 == 0 ? input.packed[2 * place] : high;
                    }
                    WSDHQ_CHECK(input.computed(form) == input.expected());
                }
            }
        }
    });
}

WSDHQ_CASE(add_rows_16_are_sums_and_minima) {
    for_each_form([](const kernels::EncodeKernels& form) {
        check_wide_sums<std::int16_t>(form.add_rows_16, 12);
    });
}

WSDHQ_CASE(add_rows_32_are_sums_and_minima) {
    for_each_form([](const kernels::EncodeKernels& form) {
        check_wide_sums<std::int32_t>(form.add_rows_32, 13);
    });
}

WSDHQ_CASE(add_rows_narrow_stops_at_the_ends_of_the_range) {
    for_each_form([](const kernels::EncodeKernels& form) {
        test::Numbers numbers(14);
        for (const std::size_t size : kSizes) {
            for (std::size_t num_rows = 0; num_rows <= 17; ++num_rows) {
                for (const std::int64_t bound : {0, 7, 3000, 32767, 99999}) {
                    const auto draw = [&](std::size_t count) {
                        return bound > 32767 ? any_narrow(numbers, count)
                                             : wholes<std::int16_t>(numbers, count, bound);
                    };
                    std::vector<std::vector<std::int16_t>> rows;
                    for (std::size_t r = 0; r < num_rows; ++r) {
                        rows.push_back(draw(size));
                    }
                    const std::int16_t base = draw(1).front();
                    const auto first = draw(size);
                    check_rows(form.add_rows_narrow, base, first, rows,
                               sums_of_rows(base, first, rows, add_within_range));
                }
            }
        }
    });
}

// Only an addition at a time shows where each stops: what came to the top comes down again.
WSDHQ_CASE(add_rows_narrow_adds_in_the_order_of_the_rows) {
    for_each_form([](const kernels::EncodeKernels& form) {
        for (const std::size_t size : kSizes) {
            const std::vector<std::int16_t> first(size, 30000);
            const std::vector<std::vector<std::int16_t>> rows{
                std::vector<std::int16_t>(size, 30000), std::vector<std::int16_t>(size, -32768),
                std::vector<std::int16_t>(size, -32768), std::vector<std::int16_t>(size, 100)};
            check_rows(form.add_rows_narrow, std::int16_t{5000}, first, rows,
                       std::vector<std::int16_t>(size, -32668));
        }
    });
}

WSDHQ_CASE(narrow_takes_differences_and_stops_at_the_top) {
    for_each_form([](const kernels::EncodeKernels& form) {
        test::Numbers numbers(15);
        for (const std::size_t size : kSizes) {
            for (const std::int64_t spread : {0, 9, 16383, 16384, 40000, (1 << 30) - 1}) {
                for (const std::int64_t middle : {-(1 << 30), -5, 0, 1 << 30}) {
                    auto values = wholes<std::int32_t>(numbers, size, spread);
                    for (std::int32_t& value : values) {
                        value = static_cast<std::int32_t>(value + middle);
                    }
                    const std::int64_t least = *std::min_element(values.begin(), values.end());
                    // At the end of the range and on either side of it.
                    for (const std::int64_t above : {32766, 32767, 32768}) {
                        values[numbers.word() % size] = static_cast<std::int32_t>(
                            std::min(least + above, least + std::max<std::int64_t>(spread, 32768)));
                    }
                    const std::int64_t lowest = *std::min_element(values.begin(), values.end());
                    std::vector<std::int16_t> expected(size);
                    for (std::size_t k = 0; k < size; ++k) {
                        expected[k] = static_cast<std::int16_t>(
                            std::min<std::int64_t>(values[k] - lowest, 32767));
                    }
                    std::vector<std::int16_t> narrowed(size);
                    form.narrow(values.data(), size, narrowed.data());
                    WSDHQ_CHECK(narrowed == expected);
                }
            }
        }
    });
}

WSDHQ_CASE(values_at_most_a_limit_are_counted_and_found) {
    for_each_form([](const kernels::EncodeKernels& form) {
        check_limits<std::int32_t>(form.count_at_most, form.find_at_most, 16);
    });
}

WSDHQ_CASE(narrow_values_at_most_a_limit_are_counted_and_found) {
    for_each_form([](const kernels::EncodeKernels& form) {
        check_limits<std::int16_t>(form.count_at_most_narrow, form.find_at_most_narrow, 17);
    });
}
