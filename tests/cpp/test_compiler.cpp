// What every compiler has a form of its own for: the same answers from each.
#include <bit>
#include <iterator>

#include "check.hpp"
#include "compiler.hpp"
#include "cpu_features.hpp"

using namespace wsdhq;

WSDHQ_CASE(features_are_those_that_the_compiler_finds) {
    const kernels::CpuFeatures features = kernels::cpu_features();
    WSDHQ_CHECK(features.avx2 || !features.avx512);
    WSDHQ_CHECK(features.avx512 || !(features.avx512_vbmi || features.avx512_vnni));
#if defined(__x86_64__) && defined(__GNUC__) && !defined(_MSC_VER)
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    WSDHQ_CHECK(features.avx2 == (__builtin_cpu_supports("avx2") != 0));
    WSDHQ_CHECK(features.avx512 == avx512);
    WSDHQ_CHECK(features.avx512_vbmi == (avx512 && __builtin_cpu_supports("avx512vbmi") != 0));
    WSDHQ_CHECK(features.avx512_vnni == (avx512 && __builtin_cpu_supports("avx512vnni") != 0));
#endif
}

WSDHQ_CASE(bits_are_counted_and_found) {
    test::Numbers numbers(3);
    for (int i = 0; i < 1000; ++i) {
        // From all 64 bits down to none.
        const std::uint64_t word = std::uint64_t{numbers.word()} << 33 ^ numbers.word();
        const std::uint64_t bits = i < 65 ? (i == 64 ? 0 : ~std::uint64_t{0} << i) : word;
        WSDHQ_CHECK(kernels::count_bits(bits) == static_cast<std::size_t>(std::popcount(bits)));
        if (bits != 0) {
            WSDHQ_CHECK(kernels::lowest_bit(bits) ==
                        static_cast<std::uint32_t>(std::countr_zero(bits)));
        }
    }
}

WSDHQ_CASE(pairs_keep_their_bytes_and_their_values) {
    const std::int16_t whole[] = {0, -32768, 32767, -1, 1, 258};
    for (std::size_t i = 0; i + 1 < std::size(whole); ++i) {
        const std::int32_t pair = kernels::bytes_of_pair(whole + i);
        WSDHQ_CHECK(static_cast<std::int16_t>(pair) == whole[i]);
        WSDHQ_CHECK(static_cast<std::int16_t>(pair >> 16) == whole[i + 1]);
    }
    const float numbers[] = {0.1f, -3e38f, 1e-45f};
    const kernels::DoublePair wide = kernels::widened(numbers + 1);
    WSDHQ_CHECK(wide[0] == static_cast<double>(numbers[1]));
    WSDHQ_CHECK(wide[1] == static_cast<double>(numbers[2]));
}
