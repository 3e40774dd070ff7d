// Blocks of a factorization at every level of this machine against plain loops, to the bit.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "check.hpp"
#include "kernels.hpp"

using namespace wsdhq;

namespace {

constexpr std::size_t kSize = kernels::kSolveBlock;

std::vector<double> made_block(test::Numbers& numbers, std::size_t rows) {
    std::vector<double> block(rows * kSize);
    for (double& value : block) {
        value = static_cast<double>(numbers.value()) / 3.0;
        // Zeros of either sign stay what they are.
        value = numbers.word() % 16 == 0 ? 0.0 * value : value;
    }
    return block;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
    return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

}  // namespace

WSDHQ_CASE(products_are_subtracted_in_order) {
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        test::Numbers numbers(3);
        const auto left = made_block(numbers, kSize);
        const auto right = made_block(numbers, kSize);
        auto block = made_block(numbers, kSize);
        auto expected = block;
        for (std::size_t i = 0; i < kSize; ++i) {
            for (std::size_t j = 0; j < kSize; ++j) {
                for (std::size_t k = 0; k < kSize; ++k) {
                    const double product = left[i * kSize + k] * right[k * kSize + j];
                    expected[i * kSize + j] -= product;
                }
            }
        }
        (*level)->solve.subtract_product(left.data(), right.data(), block.data());
        WSDHQ_CHECK(same_bits(block, expected));
    }
}

WSDHQ_CASE(rows_are_divided_by_a_triangle) {
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        for (const std::size_t num_rows : {0, 1, 3, 4, 5, 63, 64}) {
            test::Numbers numbers(num_rows);
            auto above = made_block(numbers, kSize);
            std::vector<double> diagonal(kSize);
            for (std::size_t k = 0; k < kSize; ++k) {
                diagonal[k] = 2.0 + numbers.value();
                std::fill_n(above.begin() + static_cast<std::ptrdiff_t>(k * kSize), k + 1, 0.0);
            }
            const auto given = made_block(numbers, num_rows);
            auto rows = given;
            (*level)->solve.divide_rows(above.data(), diagonal.data(), num_rows, rows.data());
            for (std::size_t i = 0; i < num_rows; ++i) {
                for (std::size_t j = 0; j < kSize; ++j) {
                    // What the solution gives back, times the triangle.
                    double sum = rows[i * kSize + j] * diagonal[j];
                    for (std::size_t k = 0; k < j; ++k) {
                        sum += rows[i * kSize + k] * above[k * kSize + j];
                    }
                    WSDHQ_CHECK(std::abs(sum - given[i * kSize + j]) < 1e-9);
                }
            }
            auto scalar = given;
            const auto last = [&] {
                auto each = kernels::supported_kernels();
                while (each[1] != nullptr) {
                    ++each;
                }
                return *each;
            }();
            last->solve.divide_rows(above.data(), diagonal.data(), num_rows, scalar.data());
            WSDHQ_CHECK(same_bits(rows, scalar));
        }
    }
}
