// The whole numbers of EncodingTables beside the costs in double that they stand for, at every
// level of this machine: differences must lie within the margin that the encoder trusts.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "check.hpp"
#include "wsdhq/tables.hpp"

using namespace wsdhq;

namespace {

template <typename Body>
void for_each_level(Body&& body) {
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        body(**level);
    }
}

struct Case {
    std::size_t dim, m, k;
    std::vector<float> vectors, codebooks, metric;  // metric empty: the identity

    Case(std::size_t n, std::size_t dim_, std::size_t m_, std::size_t k_, float scale,
         std::uint64_t seed)
        : dim(dim_), m(m_), k(k_) {
        test::Numbers numbers(seed);
        vectors = numbers.values(n * dim);
        codebooks = numbers.values(m * k * dim);
        for (float& value : vectors) {
            value *= 2.0f * scale;
        }
        for (float& value : codebooks) {
            value *= scale;
        }
    }

    std::size_t num_vectors() const { return vectors.size() / dim; }
    void add_metric(std::uint64_t seed, float scale) {
        test::Numbers numbers(seed);
        const auto factor = numbers.values(dim * dim);
        metric.assign(dim * dim, 0.0f);
        for (std::size_t i = 0; i < dim; ++i) {
            for (std::size_t j = 0; j < dim; ++j) {
                for (std::size_t l = 0; l < dim; ++l) {
                    metric[i * dim + j] += scale * factor[i * dim + l] * factor[j * dim + l];
                }
            }
        }
    }
};

struct Found {
    bool narrow = false;
    std::size_t vectors = 0;  // that fit
    double worst = 0.0;       // largest share of a margin that was wrong
    double undecided = 0.0;   // mean share of codewords within the margin of the least
    std::vector<std::int32_t> costs;
};

// Every cost of every vector, given random codes of the other codebooks.
Found check_margins(const Case& given, const kernels::KernelTable& level) {
    const std::size_t m = given.m;
    const std::size_t k = given.k;
    const std::size_t dim = given.dim;
    Interrupt interrupt;
    const CentredCodebooks centred({given.codebooks.data(), m, k, dim});
    const EncodingTables tables(
        centred.view(), given.metric.empty() ? nullptr : given.metric.data(), level, 1, interrupt);
    const std::size_t size = tables.padded_size();
    const std::size_t n = given.num_vectors();
    // One more vector, of zeros: its whole numbers are those of the squares, and tell the unit.
    IntegerVectors integers(n + 1, dim);
    for (std::size_t i = 0; i < n; ++i) {
        integers.set(i, given.vectors.data() + i * dim);
    }
    const std::vector<float> zeros(dim);
    integers.set(n, zeros.data());
    std::vector<std::int32_t> unary((n + 1) * m * size);
    tables.unary(integers, n + 1, level.encode, unary.data());
    double most = 0.0;
    int exponent = 0;
    for (std::size_t i = 0; i < m * k; ++i) {
        if (tables.square(i / k, i % k) > most) {
            most = tables.square(i / k, i % k);
            const std::int32_t whole = unary[n * m * size + i / k * size + i % k];
            exponent = static_cast<int>(std::lround(std::log2(whole) - std::log2(most)));
        }
    }

    Found found;
    found.narrow = tables.is_narrow();
    test::Numbers numbers(99);
    std::vector<std::int32_t> costs(size);
    std::vector<std::int32_t> minima(kernels::kLaneCount);
    for (std::size_t i = 0; i < n; ++i) {
        if (!tables.fits(integers.norms[i])) {
            continue;
        }
        ++found.vectors;
        const auto code = numbers.codes(m, k);
        for (std::size_t book = 0; book < m; ++book) {
            std::vector<std::uint32_t> others;
            std::vector<double> residual(
                given.vectors.begin() + static_cast<std::ptrdiff_t>(i * dim),
                given.vectors.begin() + static_cast<std::ptrdiff_t>((i + 1) * dim));
            for (std::uint32_t other = 0; other < m; ++other) {
                if (other != book) {
                    others.push_back(other);
                    for (std::size_t d = 0; d < dim; ++d) {
                        residual[d] -= tables.codeword(other, code[other])[d];
                    }
                }
            }
            const std::int32_t least =
                tables.costs(0, unary.data() + i * m * size, book, code.data(), others.data(),
                             others.size(), level.encode, costs.data(), minima.data());
            found.costs.insert(found.costs.end(), costs.begin(), costs.end());
            const std::int32_t margin = tables.margin(book, integers.norms[i], integers.errors[i]);
            WSDHQ_CHECK(margin > 0);
            // Beyond codewords there is padding, which no limit of the encoder may reach.
            for (std::size_t word = k; word < size; ++word) {
                WSDHQ_CHECK(costs[word] > EncodingTables::kLargestCost);
            }
            std::vector<double> wrong(k);  // but for a constant
            for (std::size_t word = 0; word < k; ++word) {
                WSDHQ_CHECK(costs[word] >= least && costs[word] <= EncodingTables::kLargestCost);
                wrong[word] = costs[word] -
                              std::ldexp(tables.exact_cost(residual.data(), book, word), exponent);
                found.undecided +=
                    (costs[word] <= least + margin ? 1.0 : 0.0) / static_cast<double>(n * m * k);
            }
            const auto [lowest, highest] = std::minmax_element(wrong.begin(), wrong.end());
            const double apart = *highest - *lowest;
            if (margin < EncodingTables::kPaddingCost / 2) {
                WSDHQ_CHECK(apart <= margin);
                found.worst = std::max(found.worst, apart / margin);
            } else {
                // As much as says that nothing is known: every codeword is within it.
                for (std::size_t word = 0; word < k; ++word) {
                    WSDHQ_CHECK(costs[word] - least <= margin);
                }
            }
        }
    }
    return found;
}

Found check_at_every_level(const Case& given) {
    std::vector<Found> all;
    for_each_level([&](const kernels::KernelTable& level) {
        all.push_back(check_margins(given, level));
        WSDHQ_CHECK(all.back().narrow == all.front().narrow);
        WSDHQ_CHECK(all.back().costs == all.front().costs);
    });
    return all.front();
}

}  // namespace

WSDHQ_CASE(costs_are_within_the_margin_of_the_true_ones) {
    for (const float scale : {1.0f, 3e-4f, 1e15f, 1e-15f, 1e-30f}) {
        for (const std::size_t dim : {1, 2, 7, 64}) {
            for (const std::size_t m : {1, 2, 5, 9}) {
                for (const std::size_t k : {1, 3, 16, 50}) {
                    Case given(5, dim, m, k, scale, dim * 100 + m * 10 + k);
                    WSDHQ_CHECK(check_at_every_level(given).vectors == 5);
                    given.add_metric(dim, 3.0f);
                    WSDHQ_CHECK(check_at_every_level(given).vectors == 5);
                }
            }
        }
    }
}

// A margin that says nothing would be true as well.
WSDHQ_CASE(the_margin_leaves_few_codewords_open) {
    const auto found = check_at_every_level(Case(30, 64, 8, 256, 1.0f, 4));
    WSDHQ_CHECK(found.narrow);
    WSDHQ_CHECK(found.undecided < 0.05);
    WSDHQ_CHECK(found.worst > 0.01);
}

// A single codebook has no pairwise terms, whose underflow would make any margin wide.
WSDHQ_CASE(values_near_the_least_float_are_bounded) {
    for (const float scale : {1e-34f, 3e-36f, 0x1p-118f, 1e-37f, 1e-38f, 1e-40f, 1e-44f}) {
        for (const std::size_t m : {1, 3}) {
            for (const bool round : {false, true}) {
                Case given(9, 6, m, 21, scale, 5);
                for (auto* values : {&given.vectors, &given.codebooks}) {
                    for (float& value : *values) {
                        // Few digits: what rounding to 16 bits takes is then nothing, and only
                        // the unit can go wrong.
                        value = round ? std::nearbyint(value / scale * 2.0f) / 2.0f * scale : value;
                    }
                }
                check_at_every_level(given);
            }
        }
    }
}

WSDHQ_CASE(huge_codewords_make_the_tables_wide) {
    struct Huge {
        std::size_t m, codewords;
        float factor;
    };
    for (const auto& [m, codewords, factor] :
         {Huge{2, 2, 3000.0f}, Huge{4, 1, 250.0f}, Huge{9, 1, 60.0f}, Huge{9, 2, 60.0f}}) {
        Case given(9, 20, m, 33, 1.0f, 6);
        for (std::size_t i = 0; i < codewords; ++i) {
            for (std::size_t d = 0; d < given.dim; ++d) {
                // And its opposite, or the mean of the codebook would be far from the rest.
                float* codeword = given.codebooks.data() + (i * given.k + 5) * given.dim;
                codeword[d] *= factor;
                codeword[given.dim + d] = -codeword[d];
            }
        }
        const auto found = check_at_every_level(given);
        WSDHQ_CHECK(!found.narrow);
        WSDHQ_CHECK(found.vectors == 9);
    }
}

// Codewords that lie along the vector and along each other leave the inequality of Cauchy and
// Schwarz no slack; equal codewords, tiny ones beside large ones and zeros have margins, too.
WSDHQ_CASE(adversarial_codebooks_are_bounded) {
    for (const std::size_t dim : {1, 3, 16, 33}) {
        for (const float step : {0.49999f, 0.5f, 0.50001f}) {
            Case given(12, dim, 4, 20, 1.0f, 7);
            for (std::size_t i = 0; i < given.vectors.size(); ++i) {
                // Rounded to 16 bits, every entry is wrong by as much as can be, to one side.
                given.vectors[i] = (static_cast<float>(100 + 37 * (i / dim)) + step) *
                                   (i / dim % 2 == 0 ? 1.0f : -1.0f);
            }
            for (std::size_t i = 0; i < given.codebooks.size(); ++i) {
                const std::size_t word = i / dim % given.k;
                const auto size = static_cast<float>(word * word) + step;
                given.codebooks[i] = word == 3   ? 0.0f
                                     : word == 4 ? 1e-12f
                                     : word < 8  ? 50.0f + step
                                                 : (word % 2 == 0 ? size : -size);
            }
            const auto found = check_at_every_level(given);
            WSDHQ_CHECK(found.vectors > 0);
        }
    }
}

WSDHQ_CASE(long_vectors_do_not_fit_and_the_longest_that_does_is_bounded) {
    Case given(8, 10, 3, 17, 1.0f, 8);
    Interrupt interrupt;
    const CentredCodebooks centred({given.codebooks.data(), 3, 17, 10});
    const EncodingTables tables(centred.view(), nullptr, *kernels::supported_kernels()[0], 1,
                                interrupt);
    double low = 1.0;
    double high = 1e9;
    WSDHQ_CHECK(tables.fits(low) && !tables.fits(high));
    while (high / low > 1.00001) {
        const double middle = std::sqrt(low * high);
        (tables.fits(middle) ? low : high) = middle;
    }
    for (std::size_t i = 0; i < 8; ++i) {
        float* vector = given.vectors.data() + i * 10;
        const double norm = std::sqrt(std::inner_product(vector, vector + 10, vector, 0.0));
        const double wanted = i < 4 ? low * 0.9999 : high * 1.01;
        for (std::size_t d = 0; d < 10; ++d) {
            vector[d] = static_cast<float>(vector[d] * wanted / norm);
        }
    }
    WSDHQ_CHECK(check_at_every_level(given).vectors == 4);
}
