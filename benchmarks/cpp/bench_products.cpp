// The product of the encoder: vectors with packed codebooks. M and D by WSDHQ_BENCH_CODEBOOKS and
// WSDHQ_BENCH_DIM.
#include <memory>

#include "benchmark.hpp"
#include "wsdhq/tables.hpp"

using namespace wsdhq;
using namespace wsdhq::benchmark;

WSDHQ_BENCHMARK(inner_products) {
    struct State {
        std::vector<float> vectors, products;
        AlignedVector<float> packed;
    };
    const std::size_t dim = size_from_environment("DIM", 128);
    const std::size_t columns = 256 * size_from_environment("CODEBOOKS", 4);
    const std::size_t num_vectors = 32;  // a block of the encoder
    const auto rows = values(columns * dim, 1);
    const auto state = std::make_shared<State>();
    state->vectors = values(num_vectors * dim, 2);
    state->products.resize(num_vectors * columns);
    state->packed = pack_columns({rows.data(), columns, dim}, 1.0f);
    return {"GFLOP", 2.0 * static_cast<double>(num_vectors * dim * columns),
            [=](const kernels::KernelTable& level) {
                level.products.inner_products(state->vectors.data(), num_vectors, dim,
                                              state->packed.data(), columns,
                                              state->products.data());
            },
            [=] { return bytes_of(state->products); }};
}
