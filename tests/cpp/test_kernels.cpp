// Every level of this machine against the definitions in kernels.hpp, to the bit, for sizes that
// are multiples of nothing. Arrays have exactly the length that the definitions name, so that the
// address sanitizer sees a read beyond them.
#include "check.hpp"
#include "wsdhq/cpu.hpp"
#include "wsdhq/tables.hpp"

using namespace wsdhq;

namespace {

template <typename Body>
void for_each_level(Body&& body) {
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        body(**level);
    }
}

}  // namespace

WSDHQ_CASE(inner_products_are_sums_in_order) {
    for_each_level([](const kernels::KernelTable& level) {
        test::Numbers numbers(1);
        for (const std::size_t n : {1, 2, 3, 4, 5, 7, 9}) {
            for (const std::size_t dim : {1, 2, 5, 17}) {
                for (const std::size_t columns : {1, 3, 7, 8, 9, 15, 16, 17, 33}) {
                    const auto vectors = numbers.values(n * dim);
                    const auto rows = numbers.values(columns * dim);
                    const auto packed = pack_columns({rows.data(), columns, dim}, 1.0f);
                    std::vector<float> products(n * columns);
                    level.products.inner_products(vectors.data(), n, dim, packed.data(), columns,
                                                  products.data());
                    for (std::size_t i = 0; i < n; ++i) {
                        for (std::size_t c = 0; c < columns; ++c) {
                            float sum = 0.0f;
                            for (std::size_t d = 0; d < dim; ++d) {
                                const float product = vectors[i * dim + d] * rows[c * dim + d];
                                sum += product;
                            }
                            WSDHQ_CHECK(products[i * columns + c] == sum);
                        }
                    }
                }
            }
        }
    });
}

WSDHQ_CASE(a_sweep_takes_the_lowest_of_the_least_costs) {
    for_each_level([](const kernels::KernelTable& level) {
        test::Numbers numbers(2);
        for (const std::size_t m : {1, 2, 3, 5}) {
            for (const std::size_t k : {1, 2, 3, 4, 5, 9, 31, 256}) {
                const std::size_t words = m * k;
                auto unary = numbers.values(words);
                auto pairwise = numbers.values(words * words);
                // Coarse values, so that there are exact ties.
                for (float& value : unary) {
                    value = static_cast<float>(static_cast<int>(value * 4));
                }
                for (float& value : pairwise) {
                    value = static_cast<float>(static_cast<int>(value * 2));
                }
                std::vector<std::uint32_t> order(m);
                for (std::size_t i = 0; i < m; ++i) {
                    order[i] = static_cast<std::uint32_t>(m - 1 - i);
                }
                auto codes = numbers.codes(m, k);
                auto expected = codes;
                std::size_t changes = 0;
                for (const std::uint32_t at : order) {
                    std::size_t best = 0;
                    float least = 0.0f;
                    for (std::size_t code = 0; code < k; ++code) {
                        float cost = unary[at * k + code];
                        for (std::size_t other = 0; other < m; ++other) {
                            if (other != at) {
                                cost +=
                                    pairwise[(other * k + expected[other]) * words + at * k + code];
                            }
                        }
                        if (code == 0 || cost < least) {
                            least = cost;
                            best = code;
                        }
                    }
                    changes += best != expected[at];
                    expected[at] = static_cast<std::uint8_t>(best);
                }
                std::vector<float> costs(k);
                WSDHQ_CHECK(level.encode.icm_sweep(unary.data(), pairwise.data(), m, k,
                                                   order.data(), costs.data(),
                                                   codes.data()) == changes);
                WSDHQ_CHECK(codes == expected);
            }
        }
    });
}
