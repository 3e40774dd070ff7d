// The sweeps of the encoder over a block of vectors. M by WSDHQ_BENCH_CODEBOOKS.
#include <memory>

#include "benchmark.hpp"

using namespace wsdhq;
using namespace wsdhq::benchmark;

WSDHQ_BENCHMARK(icm_sweep) {
    struct State {
        std::vector<float> unary, pairwise, costs;
        std::vector<std::uint32_t> order;
        std::vector<std::uint8_t> start, codes;
    };
    const std::size_t num_codebooks = size_from_environment("CODEBOOKS", 4);
    const std::size_t codebook_size = 256;
    const std::size_t words = num_codebooks * codebook_size;
    const std::size_t num_vectors = 64;
    const auto state = std::make_shared<State>();
    state->unary = values(num_vectors * words, 1);
    state->pairwise = values(words * words, 2);
    state->costs.resize(codebook_size);
    state->start = codes(num_vectors * num_codebooks, codebook_size, 3);
    for (std::size_t m = 0; m < num_codebooks; ++m) {
        state->order.push_back(static_cast<std::uint32_t>(m));
    }
    return {"Gcost", static_cast<double>(num_vectors * words),
            [=](const kernels::KernelTable& level) {
                state->codes = state->start;
                for (std::size_t n = 0; n < num_vectors; ++n) {
                    level.encode.icm_sweep(state->unary.data() + n * words, state->pairwise.data(),
                                           num_codebooks, codebook_size, state->order.data(),
                                           state->costs.data(),
                                           state->codes.data() + n * num_codebooks);
                }
            },
            [=] { return bytes_of(state->codes); }};
}
