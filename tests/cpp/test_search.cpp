#include <algorithm>
#include <limits>

#include "check.hpp"
#include "wsdhq/aqd.hpp"

using namespace wsdhq;

namespace {

// Small integers: sums are exact, ties are many.
std::vector<float> integers(test::Numbers& numbers, std::size_t count) {
    std::vector<float> out(count);
    for (float& value : out) {
        value = static_cast<float>(static_cast<int>(numbers.word() % 5)) - 2.0f;
    }
    return out;
}

}  // namespace

WSDHQ_CASE(search_equals_a_full_sort_of_decoded_scores) {
    const std::size_t n = 9001, dim = 6, m = 3, k = 7, queries = 3;
    test::Numbers numbers(5);
    const auto codebooks = integers(numbers, m * k * dim);
    const auto codes = numbers.codes(n * m, k);
    const auto q = integers(numbers, queries * dim);
    std::vector<std::int64_t> some;
    for (std::size_t i = 3; i < n; i += 7) {
        some.push_back(static_cast<std::int64_t>(i));
    }
    for (const auto similarity : {Similarity::inner_product, Similarity::l2}) {
        for (const bool only_some : {false, true}) {
            for (const int threads : {1, 3}) {
                const Searcher searcher({codebooks.data(), m, k, dim}, similarity);
                Interrupt interrupt;
                std::vector<float> norms(similarity == Similarity::l2 ? n : 0);
                searcher.norms({codes.data(), n, m}, threads, interrupt, norms.data());
                Database database{{codes.data(), n, m}, norms.data(), nullptr, 0};
                if (only_some) {
                    database.positions = some.data();
                    database.num_positions = some.size();
                }
                for (const std::size_t wanted : {std::size_t{1}, std::size_t{10}, n + 5}) {
                    std::vector<float> scores(queries * wanted);
                    std::vector<std::int64_t> found(queries * wanted);
                    searcher.search({q.data(), queries, dim}, database, wanted, threads,
                                    active_kernels(), interrupt, scores.data(), found.data());
                    for (std::size_t row = 0; row < queries; ++row) {
                        std::vector<SearchResult> all;
                        for (std::size_t i = 0; i < database.size(); ++i) {
                            const std::size_t at =
                                only_some ? static_cast<std::size_t>(some[i]) : i;
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
