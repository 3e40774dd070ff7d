// The look-ups of a search over codes that the second cache holds. M by WSDHQ_BENCH_CODEBOOKS.
#include <memory>

#include "benchmark.hpp"

using namespace wsdhq;
using namespace wsdhq::benchmark;

WSDHQ_BENCHMARK(look_up_scores) {
    struct State {
        std::vector<float> table, scores;
        std::vector<std::uint8_t> codes;
    };
    const std::size_t num_codebooks = size_from_environment("CODEBOOKS", 4);
    const std::size_t num_vectors = size_from_environment("VECTORS", 65536);
    const auto state = std::make_shared<State>();
    state->table = values(num_codebooks * 256, 1);
    state->codes = codes(num_vectors * num_codebooks, 256, 2);
    state->scores.resize(num_vectors);
    return {"Gvector", static_cast<double>(num_vectors),
            [=](const kernels::KernelTable& level) {
                level.search.look_up_scores(state->table.data(), num_codebooks, 256,
                                            state->codes.data(), num_vectors, state->scores.data());
            },
            [=] { return bytes_of(state->scores); }};
}
