// Sums of chosen vectors at every level of this machine against plain loops, to the bit, for sizes
// that are multiples of nothing. Arrays have exactly the length that the definition names, so that
// the address sanitizer sees a read beyond them.
#include "check.hpp"
#include "kernels.hpp"

using namespace wsdhq;

WSDHQ_CASE(add_rows_are_sums_in_order) {
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        test::Numbers numbers(5);
        constexpr std::size_t n = 19;
        for (const std::size_t dim : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 131}) {
            for (const std::size_t skipped : {0, 3}) {
                const std::size_t stride = dim + skipped;
                // Values of many magnitudes, so that another order of additions would show.
                auto vectors = numbers.values((n - 1) * stride + dim);
                for (float& value : vectors) {
                    value *= static_cast<float>(1u << (numbers.word() % 31));
                    value *= static_cast<float>(1u << (numbers.word() % 31));
                }
                for (const std::size_t num_rows : {0, 1, 2, 5, 64}) {
                    std::vector<std::uint16_t> rows(num_rows);
                    for (auto& row : rows) {
                        row = static_cast<std::uint16_t>(numbers.word() % n);
                    }
                    std::vector<double> sums(dim);
                    for (double& sum : sums) {
                        sum = static_cast<double>(numbers.value()) / 3.0;
                    }
                    auto expected = sums;
                    for (const std::uint16_t row : rows) {
                        for (std::size_t d = 0; d < dim; ++d) {
                            expected[d] += static_cast<double>(vectors[row * stride + d]);
                        }
                    }
                    (*level)->statistics.add_rows(vectors.data(), stride, rows.data(), num_rows,
                                                  dim, sums.data());
                    WSDHQ_CHECK(sums == expected);
                }
            }
        }
    }
}
