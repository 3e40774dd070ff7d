#include "wsdhq/random.hpp"

#include <cmath>
#include <cstring>
#include <utility>

namespace wsdhq::random {
namespace {

// log(x) for finite x > 0 from IEEE basic operations only: x = m 2^e with m in [sqrt(1/2),
// sqrt(2)), log m = 2 atanh((m - 1) / (m + 1)) by its series.
double portable_log(double x) {
    int exponent = 0;
    double mantissa = std::frexp(x, &exponent);  // exact
    if (mantissa < 0.70710678118654752) {
        mantissa *= 2.0;
        --exponent;
    }
    const double s = (mantissa - 1.0) / (mantissa + 1.0);
    const double squared = s * s;
    double sum = 0.0;
    for (int term = 23; term >= 1; term -= 2) {
        sum = sum * squared + 1.0 / term;
    }
    return 2.0 * s * sum + exponent * 0.69314718055994531;
}

std::uint64_t mix(std::uint64_t value) {  // the finalizer of SplitMix64
    value ^= value >> 30;
    value *= 0xBF58476D1CE4E5B9ULL;
    value ^= value >> 27;
    value *= 0x94D049BB133111EBULL;
    return value ^ (value >> 31);
}

// A 32-bit word as a number strictly inside (-1, 1).
double to_symmetric_unit(std::uint32_t word) {
    return (static_cast<double>(word) + 0.5) * 0x1p-31 - 1.0;
}

}  // namespace

Counter philox(Counter counter, std::uint64_t key) {
    auto key_low = static_cast<std::uint32_t>(key);
    auto key_high = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t first = std::uint64_t{0xD2511F53} * counter[0];
        const std::uint64_t second = std::uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<std::uint32_t>(second >> 32) ^ counter[1] ^ key_low,
                   static_cast<std::uint32_t>(second),
                   static_cast<std::uint32_t>(first >> 32) ^ counter[3] ^ key_high,
                   static_cast<std::uint32_t>(first)};
        key_low += 0x9E3779B9;
        key_high += 0xBB67AE85;
    }
    return counter;
}

std::uint64_t hash_bytes(const void* bytes, std::size_t size, std::uint64_t seed) {
    const auto* input = static_cast<const unsigned char*>(bytes);
    std::uint64_t hash = mix(seed + 0x9E3779B97F4A7C15ULL) ^ size;
    while (size > 0) {
        std::uint64_t word = 0;
        const std::size_t taken = size < sizeof word ? size : sizeof word;
        std::memcpy(&word, input, taken);
        hash = mix((hash ^ word) + 0x9E3779B97F4A7C15ULL);
        input += taken;
        size -= taken;
    }
    return hash;
}

void normals(std::uint64_t key, Stream stream, std::uint32_t iteration, std::uint32_t codebook,
             std::size_t count, double* out) {
    // The attempt shares a word with the stream: a pair needs 17 attempts once in 10^11 draws, and
    // 2^24 of them never.
    for (std::size_t pair = 0; 2 * pair < count; ++pair) {
        for (std::uint32_t attempt = 0;; ++attempt) {
            const Counter words = philox({static_cast<std::uint32_t>(pair), iteration, codebook,
                                          static_cast<std::uint32_t>(stream) << 24 | attempt},
                                         key);
            const double u = to_symmetric_unit(words[0]);
            const double v = to_symmetric_unit(words[1]);
            const double squared = u * u + v * v;
            if (squared >= 1.0) {
                continue;
            }
            const double factor = std::sqrt(-2.0 * portable_log(squared) / squared);
            out[2 * pair] = u * factor;
            if (2 * pair + 1 < count) {
                out[2 * pair + 1] = v * factor;
            }
            break;
        }
    }
}

void permutation(std::uint64_t key, std::uint32_t iteration, std::size_t count,
                 std::uint32_t* out) {
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = static_cast<std::uint32_t>(i);
    }
    for (std::size_t i = count; i > 1; --i) {
        const Counter words = philox({static_cast<std::uint32_t>(i), iteration, 0,
                                      static_cast<std::uint32_t>(Stream::codebook_order) << 24},
                                     key);
        const auto other = static_cast<std::size_t>((std::uint64_t{words[0]} * i) >> 32);
        std::swap(out[i - 1], out[other]);
    }
}

}  // namespace wsdhq::random
