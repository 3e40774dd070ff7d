// Which levels run here, and which kernels each is made of. A level takes the kernels of the level
// below where it has none of its own.
#include "cpu_features.hpp"
#include "kernels.hpp"

namespace wsdhq::kernels {

const KernelTable* const* supported_kernels() {
    struct Levels {
        KernelTable tables[3];
        const KernelTable* list[4] = {};

        Levels() {
            tables[0] = {"scalar",
                         product_kernels_scalar(),
                         encode_kernels_scalar(),
                         search_kernels_scalar(),
                         statistics_kernels_scalar(),
                         solve_kernels_scalar()};
            std::size_t count = 1;
#if defined(__x86_64__) || defined(_M_X64)
            const CpuFeatures features = cpu_features();
            if (features.avx2) {
                tables[count++] = {"avx2",
                                   product_kernels_avx2(),
                                   encode_kernels_avx2(),
                                   search_kernels_avx2(),
                                   statistics_kernels_avx2(),
                                   solve_kernels_avx2()};
            }
            if (features.avx512) {
                tables[count++] = {
                    "avx512",
                    product_kernels_avx512(),
                    features.avx512_vnni ? encode_kernels_avx512_vnni() : encode_kernels_avx512(),
                    features.avx512_vbmi ? search_kernels_avx512() : search_kernels_avx2(),
                    statistics_kernels_avx512(),
                    solve_kernels_avx512()};
            }
#elif defined(__aarch64__) || defined(_M_ARM64)
            tables[count++] = {"neon",
                               product_kernels_neon(),
                               encode_kernels_neon(),
                               search_kernels_neon(),
                               statistics_kernels_scalar(),
                               solve_kernels_neon()};
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
