// Blocks of a factorization, as the codebook solve takes them.
#include <algorithm>
#include <memory>

#include "benchmark.hpp"

using namespace wsdhq;
using namespace wsdhq::benchmark;

namespace {

constexpr std::size_t kSize = kernels::kSolveBlock;

struct Blocks {
    std::vector<double> left = doubles(1);
    std::vector<double> right = doubles(2);
    std::vector<double> above = std::vector<double>(kSize * kSize);
    std::vector<double> diagonal = std::vector<double>(kSize, 8.0);
    std::vector<double> block;

    Blocks() {
        for (std::size_t k = 0; k < kSize; ++k) {
            std::copy(right.begin() + static_cast<std::ptrdiff_t>(k * kSize + k + 1),
                      right.begin() + static_cast<std::ptrdiff_t>((k + 1) * kSize),
                      above.begin() + static_cast<std::ptrdiff_t>(k * kSize + k + 1));
        }
    }

    static std::vector<double> doubles(std::uint64_t seed) {
        const std::vector<float> floats = values(kSize * kSize, seed);
        return {floats.begin(), floats.end()};
    }
};

}  // namespace

WSDHQ_BENCHMARK(subtract_product) {
    const auto state = std::make_shared<Blocks>();
    return {"Gproduct", static_cast<double>(kSize * kSize * kSize),
            [=](const kernels::KernelTable& level) {
                state->block = state->left;
                level.solve.subtract_product(state->left.data(), state->right.data(),
                                             state->block.data());
            },
            [=] { return bytes_of(state->block); }};
}

WSDHQ_BENCHMARK(divide_rows) {
    const auto state = std::make_shared<Blocks>();
    return {"Gproduct", static_cast<double>(kSize * kSize * kSize / 2),
            [=](const kernels::KernelTable& level) {
                state->block = state->left;
                level.solve.divide_rows(state->above.data(), state->diagonal.data(), kSize,
                                        state->block.data());
            },
            [=] { return bytes_of(state->block); }};
}
