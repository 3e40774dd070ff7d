// What compilers spell differently. WSDHQ_GNU tells whether the extensions that GCC and Clang share
// are there; -DWSDHQ_GNU=0 builds with either of them what other compilers get.
//
// Functions are internal to the file that includes this, as everything of a kernel is.
#pragma once

#include <cstddef>
#include <cstdint>

#ifndef WSDHQ_GNU
#if defined(__GNUC__) || defined(__clang__)
#define WSDHQ_GNU 1
#else
#define WSDHQ_GNU 0
#endif
#endif

// Makes the compiler believe that a register is changed here, so that it cannot move what makes it.
#if WSDHQ_GNU
#define WSDHQ_PIN(constraint, lanes) __asm__("" : constraint(lanes))
#else
#define WSDHQ_PIN(constraint, lanes) static_cast<void>(lanes)
#endif

namespace wsdhq::kernels {

// A few numbers that the compiler keeps in a register of the baseline of any architecture, number
// by number the same arithmetic as scalars. They may lie at any address and alias plain numbers.
#if WSDHQ_GNU
typedef float FloatPair __attribute__((vector_size(8), aligned(4), may_alias));
typedef float FloatQuad __attribute__((vector_size(16), aligned(4), may_alias));
typedef double DoublePair __attribute__((vector_size(16), aligned(8), may_alias));
#else
template <typename Number, std::size_t Count>
struct PlainLanes {
    Number values[Count];

    Number& operator[](std::size_t i) { return values[i]; }
    Number operator[](std::size_t i) const { return values[i]; }
    PlainLanes& operator+=(const PlainLanes& other) {
        for (std::size_t i = 0; i < Count; ++i) {
            values[i] += other.values[i];
        }
        return *this;
    }
    friend PlainLanes operator+(PlainLanes a, const PlainLanes& b) { return a += b; }
    friend PlainLanes operator*(PlainLanes a, const PlainLanes& b) {
        for (std::size_t i = 0; i < Count; ++i) {
            a.values[i] *= b.values[i];
        }
        return a;
    }
    friend PlainLanes operator*(Number a, PlainLanes b) {
        for (std::size_t i = 0; i < Count; ++i) {
            b.values[i] *= a;
        }
        return b;
    }
};
using FloatPair = PlainLanes<float, 2>;
using FloatQuad = PlainLanes<float, 4>;
using DoublePair = PlainLanes<double, 2>;
#endif

namespace {

// Two floats as doubles, which is exact.
inline DoublePair widened(const float* from) {
#if WSDHQ_GNU
    return __builtin_convertvector(*reinterpret_cast<const FloatPair*>(from), DoublePair);
#else
    return {{static_cast<double>(from[0]), static_cast<double>(from[1])}};
#endif
}

// Two whole numbers of 16 bits as the bytes of one of 32.
inline std::int32_t bytes_of_pair(const std::int16_t* from) {
#if WSDHQ_GNU
    std::int32_t pair;
    __builtin_memcpy(&pair, from, sizeof pair);
    return pair;
#else
    const std::uint32_t low = static_cast<std::uint16_t>(from[0]);
    const std::uint32_t high = static_cast<std::uint16_t>(from[1]);
    return static_cast<std::int32_t>(low | high << 16);
#endif
}

// How many bits are set, and the place of the lowest of one that has any.
inline std::size_t count_bits(std::uint64_t bits) {
#if WSDHQ_GNU
    return static_cast<std::size_t>(__builtin_popcountll(bits));
#else
    // Sums of neighbours, in fields twice as wide each time; the product adds the eight bytes up.
    bits -= bits >> 1 & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0F;
    return static_cast<std::size_t>(bits * 0x0101010101010101 >> 56);
#endif
}
inline std::uint32_t lowest_bit(std::uint64_t bits) {
#if WSDHQ_GNU
    return static_cast<std::uint32_t>(__builtin_ctzll(bits));
#else
    return static_cast<std::uint32_t>(count_bits((bits & (0 - bits)) - 1));
#endif
}

}  // namespace
}  // namespace wsdhq::kernels
