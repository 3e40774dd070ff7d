// The counter-based generator: a draw is a function of its key and counter and of nothing else.
//
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Normal
// draws use Marsaglia's polar method with a logarithm made of basic operations, so that they do
// not depend on the mathematical library of the machine.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wsdhq::random {

using Counter = std::array<std::uint32_t, 4>;

// What a draw is for: keeps the streams of one key apart.
enum class Stream : std::uint32_t { codebook_noise = 1, data_noise = 2, codebook_order = 3 };

Counter philox(Counter counter, std::uint64_t key);

// 64-bit hash of `size` bytes, the same on every machine of one byte order.
std::uint64_t hash_bytes(const void* bytes, std::size_t size, std::uint64_t seed);

// Writes `count` standard normal draws of the stream (key, stream, iteration, codebook).
void normals(std::uint64_t key, Stream stream, std::uint32_t iteration, std::uint32_t codebook,
             std::size_t count, double* out);

// Writes a permutation of 0 .. count - 1, keyed by (key, iteration).
void permutation(std::uint64_t key, std::uint32_t iteration, std::size_t count, std::uint32_t* out);

}  // namespace wsdhq::random
