// The loops of encoding in AVX-512 with its byte and word instructions.
#include "encode_avx512_loops.hpp"

namespace wsdhq::kernels {
namespace {

struct MultiplyAndAdd {
    __m512i operator()(__m512i sums, __m512i a, __m512i b) const {
        return _mm512_add_epi32(sums, _mm512_madd_epi16(a, b));
    }
};

}  // namespace

const EncodeKernels& encode_kernels_avx512() {
    static constexpr EncodeKernels kernels = encode_kernels_with<MultiplyAndAdd>();
    return kernels;
}

}  // namespace wsdhq::kernels
