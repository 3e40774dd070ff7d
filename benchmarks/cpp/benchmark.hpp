// The smallest benchmark harness that cannot time a wrong answer: a list of kernels, each with its
// work and its result.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace wsdhq::benchmark {

// One kernel with inputs of its own.
struct Work {
    // What a rate counts, such as "GFLOP" or "Gcode": `amount` of them (in units, not billions)
    // are done by one run.
    std::string unit;
    double amount = 0.0;
    // Runs the kernel of a level once, from the same state each time, into the result.
    std::function<void(const kernels::KernelTable&)> run;
    // The bytes of the result: every level must give those of the scalar level.
    std::function<std::string()> result;
};

struct Registered {
    Registered(const char* name, std::function<Work()> prepare);
};

struct Entry {
    std::string name;
    std::function<Work()> prepare;
};

inline std::vector<Entry>& entries() {
    static std::vector<Entry> all;
    return all;
}

inline Registered::Registered(const char* name, std::function<Work()> prepare) {
    entries().push_back({name, std::move(prepare)});
}

template <typename Value>
std::string bytes_of(const std::vector<Value>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value)};
}

// A size that the environment may change: WSDHQ_BENCH_<name>.
std::size_t size_from_environment(const char* name, std::size_t otherwise);

// Numbers in [-1, 1) and codes that are the same everywhere.
std::vector<float> values(std::size_t count, std::uint64_t seed);
std::vector<std::uint8_t> codes(std::size_t count, std::size_t codebook_size, std::uint64_t seed);

}  // namespace wsdhq::benchmark

// WSDHQ_BENCHMARK(name) { return Work{...}; } times the kernel `name` of every level.
#define WSDHQ_BENCHMARK(name)                                                 \
    static wsdhq::benchmark::Work name();                                     \
    static const wsdhq::benchmark::Registered registered_##name(#name, name); \
    static wsdhq::benchmark::Work name()
