// The smallest test harness that names what failed and what was compared: cases and one macro.
#pragma once

#include <cstdint>
#include <functional>
#include <iomanip>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
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

// What came, for the message of a check that failed.
template <typename Value>
std::string described(const Value& value) {
    std::ostringstream text;
    text << std::setprecision(17);
    if constexpr (std::is_same_v<Value, std::uint8_t> || std::is_same_v<Value, std::int8_t>) {
        text << static_cast<int>(value);
    } else if constexpr (requires { text << value; }) {
        text << value;
    } else if constexpr (requires { value.size(); }) {
        text << value.size() << " items";
    } else {
        text << "a value";
    }
    return text.str();
}

// Two values that are not as a check wants them: of two lists, the first items that differ.
template <typename Left, typename Right>
std::string difference(const Left& left, const Right& right) {
    if constexpr (requires {
                      left.size() == right.size();
                      left[0] == right[0];
                  } && !std::is_convertible_v<Left, std::string>) {
        if (left.size() == right.size()) {
            for (std::size_t i = 0; i < left.size(); ++i) {
                if (!(left[i] == right[i])) {
                    return "item " + std::to_string(i) + " is " + described(left[i]) + " and " +
                           described(right[i]);
                }
            }
        }
    }
    return described(left) + " and " + described(right);
}

struct Outcome {
    bool holds;
    std::string values;
    explicit operator bool() const { return holds; }
};

// The left side of a comparison, so that a check that fails can say what was compared.
template <typename Left>
struct LeftSide {
    const Left& left;
#define WSDHQ_COMPARISON(sign)                                           \
    template <typename Right>                                            \
    Outcome operator sign(const Right& right) const {                    \
        const bool holds = static_cast<bool>(left sign right);           \
        return {holds, holds ? std::string() : difference(left, right)}; \
    }
    WSDHQ_COMPARISON(==)
    WSDHQ_COMPARISON(!=)
    WSDHQ_COMPARISON(<)
    WSDHQ_COMPARISON(<=)
    WSDHQ_COMPARISON(>)
    WSDHQ_COMPARISON(>=)
#undef WSDHQ_COMPARISON
    explicit operator bool() const { return static_cast<bool>(left); }
};

struct Comparison {
    template <typename Left>
    LeftSide<Left> operator<=(const Left& left) const {
        return {left};
    }
};

inline Outcome outcome_of(Outcome outcome) { return outcome; }
inline Outcome outcome_of(bool holds) { return {holds, ""}; }
template <typename Left>
Outcome outcome_of(const LeftSide<Left>& side) {
    return {static_cast<bool>(side), ""};
}

inline void expect(const Outcome& outcome, const char* file, int line, const char* condition) {
    if (!outcome.holds) {
        throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + condition +
                                 (outcome.values.empty() ? "" : " (" + outcome.values + ")"));
    }
}

}  // namespace wsdhq::test

#define WSDHQ_CASE(name)                                                 \
    static void name();                                                  \
    static const wsdhq::test::Registered registered_##name(#name, name); \
    static void name()

// Says what was compared where `condition` is one comparison.
#define WSDHQ_CHECK(condition)                                                                     \
    wsdhq::test::expect(wsdhq::test::outcome_of(wsdhq::test::Comparison{} <= condition), __FILE__, \
                        __LINE__, #condition)
