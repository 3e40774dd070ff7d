// The loops of a search over blocks of codes that the second cache holds. M, D and the number of
// vectors by WSDHQ_BENCH_CODEBOOKS, WSDHQ_BENCH_DIM and WSDHQ_BENCH_VECTORS.
#include <algorithm>
#include <memory>

#include "benchmark.hpp"

using namespace wsdhq;
using namespace wsdhq::benchmark;
using kernels::kBlockSize;
using kernels::kBlockWords;
using kernels::kTableSize;

namespace {

std::size_t num_blocks() {
    return std::max<std::size_t>(size_from_environment("VECTORS", 65536) / kBlockSize, 1);
}

}  // namespace

WSDHQ_BENCHMARK(look_up_scores) {
    struct State {
        std::vector<float> table, scores;
        std::vector<std::uint8_t> codes;
    };
    const std::size_t num_codebooks = size_from_environment("CODEBOOKS", 4);
    const std::size_t blocks = num_blocks();
    const auto state = std::make_shared<State>();
    state->table = values(num_codebooks * kTableSize, 1);
    state->codes = codes(blocks * num_codebooks * kBlockSize, kTableSize, 2);
    state->scores.resize(blocks * kBlockSize);
    return {"Gvector", static_cast<double>(blocks * kBlockSize),
            [=](const kernels::KernelTable& level) {
                for (std::size_t block = 0; block < blocks; ++block) {
                    level.search.look_up_scores(
                        state->table.data(), num_codebooks,
                        state->codes.data() + block * num_codebooks * kBlockSize,
                        state->scores.data() + block * kBlockSize);
                }
            },
            [=] { return bytes_of(state->scores); }};
}

WSDHQ_BENCHMARK(quantize_losses) {
    struct State {
        std::vector<float> table;
        std::vector<std::uint8_t> losses;
    };
    const std::size_t num_rows = 64;
    const auto state = std::make_shared<State>();
    state->table = values(num_rows * kTableSize, 1);
    state->losses.resize(num_rows * kTableSize);
    return {"Gentry", static_cast<double>(num_rows * kTableSize),
            [=](const kernels::KernelTable& level) {
                for (std::size_t at = 0; at < state->table.size(); at += kTableSize) {
                    level.search.quantize_losses(state->table.data() + at, 1.0f, 140.0f,
                                                 state->losses.data() + at);
                }
            },
            [=] { return bytes_of(state->losses); }};
}

WSDHQ_BENCHMARK(filter_block) {
    struct State {
        std::vector<std::uint8_t> codes, losses, thresholds;
        std::vector<std::uint64_t> survivors;
    };
    const std::size_t num_rows = size_from_environment("CODEBOOKS", 4);
    const std::size_t num_queries = 16;
    const std::size_t blocks = num_blocks();
    const auto state = std::make_shared<State>();
    state->codes = codes(blocks * num_rows * kBlockSize, kTableSize, 1);
    state->losses = codes(num_queries * num_rows * kTableSize, 400 / num_rows + 1, 2);
    state->thresholds.assign(num_queries, 40);
    state->survivors.resize(blocks * num_queries * kBlockWords);
    return {"Gvector", static_cast<double>(blocks * kBlockSize * num_queries),
            [=](const kernels::KernelTable& level) {
                for (std::size_t block = 0; block < blocks; ++block) {
                    level.search.filter_block(
                        state->codes.data() + block * num_rows * kBlockSize, num_rows,
                        state->losses.data(), state->thresholds.data(), num_queries,
                        state->survivors.data() + block * num_queries * kBlockWords);
                }
            },
            [=] { return bytes_of(state->survivors); }};
}

WSDHQ_BENCHMARK(squared_norm) {
    struct State {
        std::vector<float> codebooks;
        std::vector<const float*> codewords;
        std::vector<double> norms;
    };
    const std::size_t num_codebooks = size_from_environment("CODEBOOKS", 4);
    const std::size_t dim = size_from_environment("DIM", 128);
    const std::size_t num_vectors = 1024;
    const auto state = std::make_shared<State>();
    state->codebooks = values(num_codebooks * 256 * dim, 1);
    state->norms.resize(num_vectors);
    const auto chosen = codes(num_vectors * num_codebooks, 256, 2);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        state->codewords.push_back(state->codebooks.data() +
                                   (i % num_codebooks * 256 + chosen[i]) * dim);
    }
    return {"Gvalue", static_cast<double>(num_vectors * num_codebooks * dim),
            [=](const kernels::KernelTable& level) {
                for (std::size_t n = 0; n < num_vectors; ++n) {
                    state->norms[n] = level.search.squared_norm(
                        state->codewords.data() + n * num_codebooks, num_codebooks, dim);
                }
            },
            [=] { return bytes_of(state->norms); }};
}

WSDHQ_BENCHMARK(pack_mask) {
    struct State {
        std::vector<std::uint8_t> mask;
        std::vector<std::uint64_t> words;
    };
    const std::size_t blocks = num_blocks();
    const auto state = std::make_shared<State>();
    state->mask = codes(blocks * kBlockSize, 2, 1);
    state->words.resize(blocks * kBlockWords);
    return {"Gvector", static_cast<double>(blocks * kBlockSize),
            [=](const kernels::KernelTable& level) {
                level.search.pack_mask(state->mask.data(), state->words.size(),
                                       state->words.data());
            },
            [=] { return bytes_of(state->words); }};
}
