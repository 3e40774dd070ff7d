// The loops of the encoder over a block of vectors, 256 codewords a codebook. M and D by
// WSDHQ_BENCH_CODEBOOKS and WSDHQ_BENCH_DIM.
#include <memory>

#include "benchmark.hpp"

using namespace wsdhq;
using namespace wsdhq::benchmark;
using kernels::kLaneCount;

namespace {

constexpr std::size_t kCodebookSize = 256;
constexpr std::size_t kNumVectors = 32;  // a block of the encoder

template <typename Value>
std::vector<Value> wholes(std::size_t count, float bound, std::uint64_t seed) {
    std::vector<Value> out(count);
    const auto drawn = values(count, seed);
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = static_cast<Value>(drawn[i] * bound);
    }
    return out;
}

// Costs of one codebook for each vector of a block, the codes of the other codebooks given: rows
// are drawn from a table as large as that of the encoder.
template <typename Sum, typename EntryType, typename KernelOf>
Work adding_rows(KernelOf kernel_of) {
    struct State {
        std::vector<EntryType> table;
        std::vector<const EntryType*> rows;
        std::vector<Sum> first, sums, minima;
    };
    const std::size_t num_rows = size_from_environment("CODEBOOKS", 4) - 1;
    const auto state = std::make_shared<State>();
    state->table = wholes<EntryType>(num_rows * kCodebookSize * kCodebookSize, 2000.0f, 1);
    const auto chosen = codes(kNumVectors * num_rows, kCodebookSize, 2);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        const std::size_t row = i % num_rows * kCodebookSize + chosen[i];
        state->rows.push_back(state->table.data() + row * kCodebookSize);
    }
    state->first = wholes<Sum>(kNumVectors * kCodebookSize, 20000.0f, 3);
    state->sums.resize(kNumVectors * kCodebookSize);
    state->minima.resize(kNumVectors * kLaneCount);
    return {"Gentry", static_cast<double>(kNumVectors * kCodebookSize * (num_rows + 1)),
            [=](const kernels::KernelTable& level) {
                for (std::size_t n = 0; n < kNumVectors; ++n) {
                    const std::size_t at = n * kCodebookSize;
                    kernel_of(level)(Sum{7}, state->first.data() + at,
                                     state->rows.data() + n * num_rows, num_rows, kCodebookSize,
                                     state->sums.data() + at,
                                     state->minima.data() + n * kLaneCount);
                }
            },
            [=] { return bytes_of(state->sums) + bytes_of(state->minima); }};
}

// The costs of a beam, of which one in 256 is at most the limit.
template <typename Value, typename KernelOf>
Work counting(KernelOf kernel_of) {
    struct State {
        std::vector<Value> values;
        std::vector<std::size_t> counts;
    };
    const std::size_t size = 32 * kCodebookSize;
    const auto state = std::make_shared<State>();
    state->values = wholes<Value>(size, 32000.0f, 1);
    state->counts.resize(1);
    return {"Gvalue", static_cast<double>(size),
            [=](const kernels::KernelTable& level) {
                state->counts[0] = kernel_of(level)(state->values.data(), size, Value{-31750});
            },
            [=] { return bytes_of(state->counts); }};
}

template <typename Value, typename KernelOf>
Work finding(KernelOf kernel_of) {
    struct State {
        std::vector<Value> values;
        std::vector<std::size_t> counts;
        std::vector<std::uint32_t> indices;
    };
    const auto state = std::make_shared<State>();
    state->values = wholes<Value>(kNumVectors * kCodebookSize, 32000.0f, 1);
    state->counts.resize(kNumVectors);
    state->indices.resize(kNumVectors * kCodebookSize);
    return {"Gvalue", static_cast<double>(kNumVectors * kCodebookSize),
            [=](const kernels::KernelTable& level) {
                for (std::size_t n = 0; n < kNumVectors; ++n) {
                    const std::size_t at = n * kCodebookSize;
                    state->counts[n] = kernel_of(level)(state->values.data() + at, kCodebookSize,
                                                        Value{-31750}, state->indices.data() + at);
                }
            },
            [=] { return bytes_of(state->counts) + bytes_of(state->indices); }};
}

}  // namespace

WSDHQ_BENCHMARK(integer_unary) {
    struct State {
        std::vector<std::int16_t> vectors, packed;
        std::vector<std::int32_t> vector_shifts, column_shifts, column_terms, unary;
    };
    const std::size_t num_pairs = (size_from_environment("DIM", 128) + 1) / 2;
    const std::size_t columns = kCodebookSize * size_from_environment("CODEBOOKS", 4);
    const auto state = std::make_shared<State>();
    state->vectors = wholes<std::int16_t>(kNumVectors * num_pairs * 2, 2000.0f, 1);
    state->packed = wholes<std::int16_t>(columns * num_pairs * 2, 2000.0f, 2);
    state->vector_shifts.assign(kNumVectors, 3);
    state->column_shifts.assign(columns, 4);
    state->column_terms = wholes<std::int32_t>(columns, 1e6f, 3);
    state->unary.resize(kNumVectors * columns);
    return {"Gop", 2.0 * static_cast<double>(kNumVectors * num_pairs * 2 * columns),
            [=](const kernels::KernelTable& level) {
                level.encode.integer_unary(state->vectors.data(), kNumVectors, num_pairs,
                                           state->packed.data(), columns / kLaneCount,
                                           state->vector_shifts.data(), state->column_shifts.data(),
                                           state->column_terms.data(), state->unary.data());
            },
            [=] { return bytes_of(state->unary); }};
}

WSDHQ_BENCHMARK(add_rows_16) {
    return adding_rows<std::int32_t, std::int16_t>(
        [](const kernels::KernelTable& level) { return level.encode.add_rows_16; });
}

WSDHQ_BENCHMARK(add_rows_32) {
    return adding_rows<std::int32_t, std::int32_t>(
        [](const kernels::KernelTable& level) { return level.encode.add_rows_32; });
}

WSDHQ_BENCHMARK(add_rows_narrow) {
    return adding_rows<std::int16_t, std::int16_t>(
        [](const kernels::KernelTable& level) { return level.encode.add_rows_narrow; });
}

WSDHQ_BENCHMARK(narrow) {
    struct State {
        std::vector<std::int32_t> values;
        std::vector<std::int16_t> narrowed;
    };
    const auto state = std::make_shared<State>();
    state->values = wholes<std::int32_t>(kNumVectors * kCodebookSize, 30000.0f, 1);
    state->narrowed.resize(kNumVectors * kCodebookSize);
    return {"Gvalue", static_cast<double>(kNumVectors * kCodebookSize),
            [=](const kernels::KernelTable& level) {
                for (std::size_t at = 0; at < state->values.size(); at += kCodebookSize) {
                    level.encode.narrow(state->values.data() + at, kCodebookSize,
                                        state->narrowed.data() + at);
                }
            },
            [=] { return bytes_of(state->narrowed); }};
}

WSDHQ_BENCHMARK(count_at_most) {
    return counting<std::int32_t>(
        [](const kernels::KernelTable& level) { return level.encode.count_at_most; });
}

WSDHQ_BENCHMARK(count_at_most_narrow) {
    return counting<std::int16_t>(
        [](const kernels::KernelTable& level) { return level.encode.count_at_most_narrow; });
}

WSDHQ_BENCHMARK(find_at_most) {
    return finding<std::int32_t>(
        [](const kernels::KernelTable& level) { return level.encode.find_at_most; });
}

WSDHQ_BENCHMARK(find_at_most_narrow) {
    return finding<std::int16_t>(
        [](const kernels::KernelTable& level) { return level.encode.find_at_most_narrow; });
}
