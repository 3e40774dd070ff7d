// Times every kernel at every level of this machine, on one thread. Levels take turns, so that all
// meet the same machine; the answer of each is compared with the scalar one before the clock runs.
//
//   wsdhq_benchmarks [part of a kernel's name]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "benchmark.hpp"

namespace wsdhq::benchmark {

std::size_t size_from_environment(const char* name, std::size_t otherwise) {
    const char* text = std::getenv((std::string("WSDHQ_BENCH_") + name).c_str());
    const unsigned long long size = text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
    return size == 0 ? otherwise : static_cast<std::size_t>(size);
}

namespace {

class Generator {
public:
    explicit Generator(std::uint64_t seed) : state_(seed * 2 + 1) {}
    std::uint32_t word() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<std::uint32_t>(state_ >> 33);
    }

private:
    std::uint64_t state_;
};

double seconds_of(const Work& work, const kernels::KernelTable& level, int calls) {
    const auto begun = std::chrono::steady_clock::now();
    for (int call = 0; call < calls; ++call) {
        work.run(level);
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
    return taken.count() / calls;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Gives false if a level's answer is not the scalar one.
bool time_levels(const Entry& entry) {
    const Work work = entry.prepare();
    std::vector<const kernels::KernelTable*> levels;
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        levels.push_back(*level);
    }
    std::reverse(levels.begin(), levels.end());  // scalar is the last of the table
    std::string expected;
    for (const kernels::KernelTable* level : levels) {
        work.run(*level);
        const std::string result = work.result();
        if (level == levels.front()) {
            expected = result;
        } else if (result != expected) {
            std::printf("%-24s %-8s differs from scalar: not timed\n", entry.name.c_str(),
                        level->name);
            return false;
        }
    }
    const std::size_t rounds = size_from_environment("ROUNDS", 7);
    std::vector<std::vector<double>> times(levels.size());
    std::vector<int> calls;
    for (const kernels::KernelTable* level : levels) {
        // About 20 ms a turn.
        calls.push_back(std::clamp(static_cast<int>(0.02 / seconds_of(work, *level, 1)), 1, 10000));
    }
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < levels.size(); ++i) {
            const std::size_t turn = (i + round) % levels.size();
            times[turn].push_back(seconds_of(work, *levels[turn], calls[turn]));
        }
    }
    for (std::size_t i = 0; i < levels.size(); ++i) {
        std::vector<double> ratios;
        for (std::size_t round = 0; round < rounds; ++round) {
            ratios.push_back(times[0][round] / times[i][round]);
        }
        const auto [least, most] = std::minmax_element(times[i].begin(), times[i].end());
        std::printf("%-24s %-8s %10.2f us (%.2f - %.2f) %9.3f %s/s %8.2fx scalar\n",
                    entry.name.c_str(), levels[i]->name, median(times[i]) * 1e6, *least * 1e6,
                    *most * 1e6, work.amount / median(times[i]) / 1e9, work.unit.c_str(),
                    median(ratios));
    }
    return true;
}

}  // namespace

std::vector<float> values(std::size_t count, std::uint64_t seed) {
    Generator generator(seed);
    std::vector<float> out(count);
    for (float& value : out) {
        value = static_cast<float>(generator.word()) / 1073741824.0f - 1.0f;
    }
    return out;
}

std::vector<std::uint8_t> codes(std::size_t count, std::size_t codebook_size, std::uint64_t seed) {
    Generator generator(seed);
    std::vector<std::uint8_t> out(count);
    for (std::uint8_t& code : out) {
        code = static_cast<std::uint8_t>(generator.word() % codebook_size);
    }
    return out;
}

}  // namespace wsdhq::benchmark

int main(int count, char** arguments) {
    using namespace wsdhq::benchmark;
    bool equal = true;
    std::size_t timed = 0;
    for (const Entry& entry : entries()) {
        if (count < 2 || entry.name.find(arguments[1]) != std::string::npos) {
            equal = time_levels(entry) && equal;
            ++timed;
        }
    }
    if (timed == 0) {
        std::printf("no kernel has %s in its name\n", count < 2 ? "anything" : arguments[1]);
        return 2;
    }
    return equal ? 0 : 1;
}
