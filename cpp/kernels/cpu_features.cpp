// Asked of the processor itself: MSVC has nothing like __builtin_cpu_supports, and in Clang for
// Windows it needs a library that is not linked by default.
#include "cpu_features.hpp"

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(__GNUC__) || defined(__clang__)
#include <cpuid.h>
#else
#include <intrin.h>
#endif

namespace wsdhq::kernels {
namespace {

struct Registers {
    std::uint32_t a, b, c, d;
};

#if defined(__GNUC__) || defined(__clang__)
Registers ask(std::uint32_t leaf) {
    Registers told{};
    __cpuid_count(leaf, 0, told.a, told.b, told.c, told.d);
    return told;
}
// Which registers the operating system saves; only where it says that this may be asked.
std::uint64_t saved_registers() {
    std::uint32_t low;
    std::uint32_t high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return std::uint64_t{high} << 32 | low;
}
#else
Registers ask(std::uint32_t leaf) {
    int told[4];
    __cpuidex(told, static_cast<int>(leaf), 0);
    return {static_cast<std::uint32_t>(told[0]), static_cast<std::uint32_t>(told[1]),
            static_cast<std::uint32_t>(told[2]), static_cast<std::uint32_t>(told[3])};
}
std::uint64_t saved_registers() { return _xgetbv(0); }
#endif

bool has(std::uint32_t word, int bit) { return (word >> bit & 1) != 0; }

}  // namespace

CpuFeatures cpu_features() {
    CpuFeatures features{};
    if (ask(0).a < 7 || !has(ask(1).c, 27)) {  // OSXSAVE
        return features;
    }
    constexpr std::uint64_t ymm = 0x06;  // XMM and the upper halves of YMM
    constexpr std::uint64_t zmm = 0xE6;  // and masks, the upper halves of ZMM, ZMM 16 to 31
    const std::uint64_t saved = saved_registers();
    const Registers extended = ask(7);
    features.avx2 = (saved & ymm) == ymm && has(ask(1).c, 28) && has(extended.b, 5);
#if defined(__APPLE__)
    // It begins to save them when they are first used, and does not tell before.
    const bool saves_zmm = true;
#else
    const bool saves_zmm = (saved & zmm) == zmm;
#endif
    features.avx512 = features.avx2 && saves_zmm && has(extended.b, 16) && has(extended.b, 30) &&
                      has(extended.b, 17) && has(extended.b, 31);
    features.avx512_vbmi = features.avx512 && has(extended.c, 1);
    features.avx512_vnni = features.avx512 && has(extended.c, 11);
    return features;
}

}  // namespace wsdhq::kernels
#else
namespace wsdhq::kernels {

CpuFeatures cpu_features() { return {}; }

}  // namespace wsdhq::kernels
#endif
