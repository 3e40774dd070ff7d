// The loops of encoding in AVX-512 with the dot products of VNNI.
#include "encode_avx512_loops.hpp"

namespace wsdhq::kernels {
namespace {

struct DotProduct {
    __m512i operator()(__m512i sums, __m512i a, __m512i b) const {
        return _mm512_dpwssd_epi32(sums, a, b);
    }
};

}  // namespace

const EncodeKernels& encode_kernels_avx512_vnni() {
    static constexpr EncodeKernels kernels = encode_kernels_with<DotProduct>();
    return kernels;
}

}  // namespace wsdhq::kernels
