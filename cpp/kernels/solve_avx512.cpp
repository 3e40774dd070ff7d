// Blocks of a factorization in AVX-512.
#include <immintrin.h>

#include "solve_loops.hpp"

namespace wsdhq::kernels {
namespace {

struct Lanes {
    using Vector = __m512d;
    static constexpr std::size_t kCount = 8;
    static constexpr std::size_t kRows = 8;
    static constexpr std::size_t kRegisters = 2;

    static Vector load(const double* from) { return _mm512_loadu_pd(from); }
    static void store(double* to, Vector values) { _mm512_storeu_pd(to, values); }
    static Vector spread(double value) { return _mm512_set1_pd(value); }
    // Two instructions: one that is fused would round once instead of twice.
    static Vector minus_product(Vector from, Vector a, Vector b) {
        return _mm512_sub_pd(from, _mm512_mul_pd(a, b));
    }
};

}  // namespace

const SolveKernels& solve_kernels_avx512() {
    static constexpr SolveKernels kernels = solve_kernels_with<Lanes>();
    return kernels;
}

}  // namespace wsdhq::kernels
