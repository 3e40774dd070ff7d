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
