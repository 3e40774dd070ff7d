#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "search/score_filter.hpp"
#include "wsdhq/searcher.hpp"

using namespace wsdhq;
using kernels::kBlockSize;
using kernels::kBlockWords;
using kernels::kTableSize;

namespace {

// Small integers: sums are exact, ties are many.
std::vector<float> integers(test::Numbers& numbers, std::size_t count) {
    std::vector<float> out(count);
    for (float& value : out) {
        value = static_cast<float>(static_cast<int>(numbers.word() % 5)) - 2.0f;
    }
    return out;
}

// Codes in blocks, in arrays of exactly the sizes that CodeBlocks names.
struct Blocks {
    std::vector<std::uint8_t> full;
    std::vector<std::uint8_t> last;
    std::vector<float> edges;
    std::size_t num_vectors;
    std::size_t num_rows;

    Blocks(const std::vector<std::uint8_t>& codes, std::size_t n, std::size_t m,
           const std::vector<float>& norms)
        : full(n / kBlockSize * (m + !norms.empty()) * kBlockSize),
          last((m + !norms.empty()) * kBlockSize, 255),
          edges(kTableSize),
          num_vectors(n),
          num_rows(m + !norms.empty()) {
        if (!norms.empty()) {
            const float low = *std::min_element(norms.begin(), norms.end());
            const float high = *std::max_element(norms.begin(), norms.end());
            for (std::size_t bin = 0; bin < kTableSize; ++bin) {
                edges[bin] = low + (high - low) * static_cast<float>(bin) / 256.0f;
            }
        }
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t b = i / kBlockSize;
            std::uint8_t* block =
                b < n / kBlockSize ? full.data() + b * num_rows * kBlockSize : last.data();
            for (std::size_t j = 0; j < m; ++j) {
                block[j * kBlockSize + i % kBlockSize] = codes[i * m + j];
            }
            if (!norms.empty()) {
                std::size_t bin = 0;
                while (bin + 1 < kTableSize && edges[bin + 1] <= norms[i]) {
                    ++bin;
                }
                block[m * kBlockSize + i % kBlockSize] = static_cast<std::uint8_t>(bin);
            }
        }
    }

    CodeBlocks view() const { return {full.data(), last.data(), num_vectors, num_rows}; }
};

}  // namespace

WSDHQ_CASE(search_equals_a_full_sort_of_decoded_scores) {
    const std::size_t n = 9001, dim = 6, m = 3, k = 7, queries = 3;
    test::Numbers numbers(5);
    const auto codebooks = integers(numbers, m * k * dim);
    const auto codes = numbers.codes(n * m, k);
    const auto q = integers(numbers, queries * dim);
    std::vector<std::uint8_t> mask(n);
    for (std::size_t i = 3; i < n; i += 7) {
        mask[i] = static_cast<std::uint8_t>(i);
    }
    for (const auto similarity : {Similarity::inner_product, Similarity::l2}) {
        for (const int choice : {0, 1, 2}) {
            for (const int threads : {1, 3}) {
                const Searcher searcher({codebooks.data(), m, k, dim}, similarity);
                Interrupt interrupt;
                std::vector<float> norms(similarity == Similarity::l2 ? n : 0);
                searcher.norms({codes.data(), n, m}, threads, active_kernels(), interrupt,
                               norms.data());
                const Blocks blocks(codes, n, m, norms);
                Database database;
                database.blocks = blocks.view();
                database.norm_edges = blocks.edges.data();
                if (choice == 1) {
                    database.first = kBlockSize - 3;
                } else if (choice == 2) {
                    database.mask = mask.data();
                }
                for (const std::size_t wanted : {std::size_t{1}, std::size_t{10}, n + 5}) {
                    std::vector<float> scores(queries * wanted);
                    std::vector<std::int64_t> found(queries * wanted);
                    searcher.search({q.data(), queries, dim}, database, wanted, threads,
                                    active_kernels(), interrupt, scores.data(), found.data());
                    for (std::size_t row = 0; row < queries; ++row) {
                        std::vector<SearchResult> all;
                        for (std::size_t at = 0; at < n; ++at) {
                            if (at < database.first || (choice == 2 && mask[at] == 0)) {
                                continue;
                            }
                            double product = 0.0;
                            double distance = 0.0;
                            for (std::size_t d = 0; d < dim; ++d) {
                                double x = 0.0;
                                for (std::size_t j = 0; j < m; ++j) {
                                    x += codebooks[(j * k + codes[at * m + j]) * dim + d];
                                }
                                const double value = q[row * dim + d];
                                product += value * x;
                                distance += (value - x) * (value - x);
                            }
                            const double score = similarity == Similarity::l2 ? -distance : product;
                            all.push_back(
                                {static_cast<float>(score), static_cast<std::int64_t>(at)});
                        }
                        std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
                            return a.score > b.score;
                        });
                        for (std::size_t i = 0; i < wanted; ++i) {
                            const bool there = i < all.size();
                            WSDHQ_CHECK(found[row * wanted + i] == (there ? all[i].position : -1));
                            WSDHQ_CHECK(
                                scores[row * wanted + i] ==
                                (there ? all[i].score : -std::numeric_limits<float>::infinity()));
                        }
                    }
                }
            }
        }
    }
}

// Tables that try to make the filter lose a vector: whatever they hold, a vector that reaches the
// threshold must survive, when the threshold is its own score and when it has risen since the
// 8-bit tables were made.
WSDHQ_CASE(a_filter_never_loses_a_vector_that_reaches_the_threshold) {
    test::Numbers numbers(11);
    const auto& level = active_kernels();
    const std::size_t count = 300;
    for (const std::size_t m : {1, 2, 4, 8, 64}) {
        for (const auto similarity :
             {Similarity::inner_product, Similarity::l2, Similarity::cosine}) {
            const bool has_norms = similarity != Similarity::inner_product;
            const std::size_t rows = m + has_norms;
            for (int kind = 0; kind < 10; ++kind) {
                auto table = numbers.values(m * kTableSize);
                for (std::size_t i = 0; i < table.size(); ++i) {
                    float& value = table[i];
                    switch (kind) {
                        case 1:
                            value = 0.25f;
                            break;  // all equal
                        case 2:
                            value *= i / kTableSize == 0 ? 1e15f : 1e-10f;
                            break;
                        case 3:
                            value = i % 97 == 5 ? 1e20f : value;
                            break;  // outliers
                        case 4:
                            value = i % 97 == 5 ? -1e20f : value;
                            break;
                        case 5:
                            value *= 1e-39f;
                            break;  // denormal
                        case 6:
                            value = value - 1000.0f;
                            break;  // cancels
                        case 7:
                            value = static_cast<float>(static_cast<int>(value * 2));
                            break;
                        case 8:
                            value *= i / kTableSize % 2 == 0 ? 1e6f : 1.0f;
                            break;
                        case 9:
                            value = value < 0.9f ? 0.0f : value;
                            break;
                        default:
                            break;
                    }
                }
                const float scale = kind == 2 ? 1e15f : kind == 5 ? 1e-39f : 1.0f;
                PreparedQuery query;
                std::vector<float> largest(m);
                query.table = table.data();
                query.largest = largest.data();
                for (std::size_t j = 0; j < m; ++j) {
                    const auto [low, high] = std::minmax_element(
                        table.begin() + static_cast<std::ptrdiff_t>(j * kTableSize),
                        table.begin() + static_cast<std::ptrdiff_t>((j + 1) * kTableSize));
                    largest[j] = *high;
                    query.sum_of_largest += *high;
                    query.magnitude += std::max(std::abs(double{*low}), std::abs(double{*high}));
                }
                query.norm = std::abs(numbers.value()) * scale;
                std::vector<float> edges(kTableSize);
                for (std::size_t bin = 0; bin < kTableSize; ++bin) {
                    edges[bin] = scale * (0.3f + 0.01f * static_cast<float>(bin));
                }
                auto codes = numbers.codes(rows * kBlockSize, kTableSize);
                std::vector<float> scores(kBlockSize);
                for (std::size_t n = 0; n < kBlockSize; ++n) {
                    float sum = table[codes[n]];
                    for (std::size_t j = 1; j < m; ++j) {
                        sum += table[j * kTableSize + codes[j * kBlockSize + n]];
                    }
                    // On its bin's edge, which is where the bound is tight.
                    const float norm = has_norms ? edges[codes[m * kBlockSize + n]] : 0.0f;
                    scores[n] = query.score(similarity, sum, norm);
                    WSDHQ_CHECK(!has_norms || query.max_score(similarity, sum, norm) >= scores[n]);
                }
                auto order = scores;
                std::sort(order.begin(), order.end());
                std::vector<std::uint8_t> losses(rows * kTableSize);
                ScoreFilter rising(query, similarity, m, edges.data(), losses.data());
                for (std::size_t i = kBlockSize - count; i < kBlockSize; ++i) {
                    rising.raise(order[i], level.search);
                    if (!rising.is_usable()) {
                        continue;
                    }
                    const std::uint8_t threshold = rising.threshold();
                    std::uint64_t survivors[kBlockWords];
                    level.search.filter_block(codes.data(), rows, losses.data(), &threshold, 1,
                                              survivors);
                    for (std::size_t n = 0; n < kBlockSize; ++n) {
                        WSDHQ_CHECK(!(scores[n] >= order[i]) ||
                                    (survivors[n / 64] >> (n % 64) & 1) != 0);
                    }
                }
            }
        }
    }
}

WSDHQ_CASE(a_filter_of_plain_tables_lets_little_more_through_than_it_must) {
    test::Numbers numbers(12);
    const auto& level = active_kernels();
    const std::size_t m = 8, blocks = 200;
    const auto table = numbers.values(m * kTableSize);
    PreparedQuery query;
    std::vector<float> largest(m);
    query.table = table.data();
    query.largest = largest.data();
    for (std::size_t j = 0; j < m; ++j) {
        largest[j] =
            *std::max_element(table.begin() + static_cast<std::ptrdiff_t>(j * kTableSize),
                              table.begin() + static_cast<std::ptrdiff_t>((j + 1) * kTableSize));
        query.sum_of_largest += largest[j];
        query.magnitude += 1.0;
    }
    std::vector<std::uint8_t> losses(m * kTableSize);
    ScoreFilter filter(query, Similarity::inner_product, m, nullptr, losses.data());
    const float least = 3.5f;
    filter.raise(least, level.search);
    WSDHQ_CHECK(filter.is_usable());
    std::size_t must = 0;
    std::size_t did = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
        const auto codes = numbers.codes(m * kBlockSize, kTableSize);
        const std::uint8_t threshold = filter.threshold();
        std::uint64_t survivors[kBlockWords];
        std::vector<float> scores(kBlockSize);
        level.search.filter_block(codes.data(), m, losses.data(), &threshold, 1, survivors);
        level.search.look_up_scores(table.data(), m, codes.data(), scores.data());
        for (std::size_t n = 0; n < kBlockSize; ++n) {
            must += scores[n] >= least;
            did += survivors[n / 64] >> (n % 64) & 1;
        }
    }
    WSDHQ_CHECK(must > 500);
    WSDHQ_CHECK(did < must + must / 2);
}
