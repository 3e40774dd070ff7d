// Sums of chosen vectors, as a codebook update takes them. D by WSDHQ_BENCH_DIM.
#include <algorithm>
#include <memory>

#include "benchmark.hpp"

using namespace wsdhq;
using namespace wsdhq::benchmark;

WSDHQ_BENCHMARK(add_rows) {
    struct State {
        std::vector<float> vectors;
        std::vector<std::uint16_t> rows;
        std::vector<double> sums;
    };
    const std::size_t dim = size_from_environment("DIM", 128);
    const std::size_t num_vectors = 2048;
    const std::size_t num_rows = 256;
    const auto state = std::make_shared<State>();
    state->vectors = values(num_vectors * dim, 1);
    state->sums.resize(dim);
    for (const std::uint8_t code : codes(num_rows, 256, 2)) {
        state->rows.push_back(static_cast<std::uint16_t>(code * num_vectors / 256));
    }
    return {"Gvalue", static_cast<double>(num_rows * dim),
            [=](const kernels::KernelTable& level) {
                std::fill(state->sums.begin(), state->sums.end(), 0.0);
                level.statistics.add_rows(state->vectors.data(), dim, state->rows.data(), num_rows,
                                          dim, state->sums.data());
            },
            [=] { return bytes_of(state->sums); }};
}
