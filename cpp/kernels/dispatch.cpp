// Which levels run here, and which kernels each is made of. A level takes the kernels of the level
// below where it has none of its own.
#include "kernels.hpp"

namespace wsdhq::kernels {

const KernelTable* const* supported_kernels() {
    struct Levels {
        KernelTable tables[3];
        const KernelTable* list[4] = {};

        Levels() {
            tables[0] = {"scalar", product_kernels_scalar(), encode_kernels_scalar(),
                         search_kernels_scalar(), statistics_kernels_scalar()};
            std::size_t count = 1;
#if defined(__x86_64__) || defined(_M_X64)
            // These ask the operating system, too, whether it saves the registers.
            const bool avx2 = __builtin_cpu_supports("avx2");
            const bool avx512 =
                avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
            const bool vbmi = __builtin_cpu_supports("avx512vbmi");
            const bool vnni = __builtin_cpu_supports("avx512vnni");
            if (avx2) {
                tables[count++] = {"avx2", product_kernels_avx2(), encode_kernels_avx2(),
                                   search_kernels_avx2(), statistics_kernels_avx2()};
            }
            if (avx512) {
                tables[count++] = {"avx512", product_kernels_avx512(),
                                   vnni ? encode_kernels_avx512_vnni() : encode_kernels_avx512(),
                                   vbmi ? search_kernels_avx512() : search_kernels_avx2(),
                                   statistics_kernels_avx512()};
            }
#elif defined(__aarch64__)
            tables[count++] = {"neon", product_kernels_neon(), encode_kernels_neon(),
                               search_kernels_neon(), statistics_kernels_scalar()};
#endif
            for (std::size_t level = 0; level < count; ++level) {
                list[level] = &tables[count - 1 - level];
            }
        }
    };
    static const Levels levels;
    return levels.list;
}

}  // namespace wsdhq::kernels
