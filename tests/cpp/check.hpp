// The smallest test harness that names what failed: a list of cases and one macro.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace wsdhq::test {

struct Case {
    std::string name;
    std::function<void()> body;
};

inline std::vector<Case>& cases() {
    static std::vector<Case> all;
    return all;
}

struct Registered {
    Registered(const char* name, std::function<void()> body) {
        cases().push_back({name, std::move(body)});
    }
};

// Numbers in [-1, 1) that are the same everywhere.
class Numbers {
public:
    explicit Numbers(std::uint64_t seed) : state_(seed * 2 + 1) {}
    std::uint32_t word() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<std::uint32_t>(state_ >> 33);
    }
    float value() { return static_cast<float>(word()) / 1073741824.0f - 1.0f; }
    std::vector<float> values(std::size_t count) {
        std::vector<float> out(count);
        for (float& each : out) {
            each = value();
        }
        return out;
    }
    std::vector<std::uint8_t> codes(std::size_t count, std::size_t codebook_size) {
        std::vector<std::uint8_t> out(count);
        for (auto& each : out) {
            each = static_cast<std::uint8_t>(word() % codebook_size);
        }
        return out;
    }

private:
    std::uint64_t state_;
};

}  // namespace wsdhq::test

#define WSDHQ_CASE(name)                                                 \
    static void name();                                                  \
    static const wsdhq::test::Registered registered_##name(#name, name); \
    static void name()

#define WSDHQ_CHECK(condition)                                                                \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            throw std::runtime_error(std::string(__FILE__) + ":" + std::to_string(__LINE__) + \
                                     ": " + #condition);                                      \
        }                                                                                     \
    } while (false)
