// Blocks of a factorization in NEON.
#include <arm_neon.h>

#include "solve_loops.hpp"

namespace wsdhq::kernels {
namespace {

struct Lanes {
    using Vector = float64x2_t;
    static constexpr std::size_t kCount = 2;
    static constexpr std::size_t kRows = 4;
    static constexpr std::size_t kRegisters = 4;

    static Vector load(const double* from) { return vld1q_f64(from); }
    static void store(double* to, Vector values) { vst1q_f64(to, values); }
    static Vector spread(double value) { return vdupq_n_f64(value); }
    // Two instructions: one that is fused would round once instead of twice.
    static Vector minus_product(Vector from, Vector a, Vector b) {
        return vsubq_f64(from, vmulq_f64(a, b));
    }
};

}  // namespace

const SolveKernels& solve_kernels_neon() {
    static constexpr SolveKernels kernels = solve_kernels_with<Lanes>();
    return kernels;
}

}  // namespace wsdhq::kernels
