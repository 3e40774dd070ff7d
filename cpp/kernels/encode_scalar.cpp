// The sweeps of the encoder in the instructions of the baseline: the definition.
#include "encode_kernels.hpp"

namespace wsdhq::kernels {
namespace {

// Four floats that the compiler keeps in a register of the baseline of any architecture. Loads may
// be of any alignment and alias plain floats.
typedef float Lanes __attribute__((vector_size(16), aligned(4), may_alias));
constexpr std::size_t kLanes = 4;

Lanes load(const float* from) { return *reinterpret_cast<const Lanes*>(from); }

// The lowest index of the least value.
std::size_t index_of_least(const float* values, std::size_t count) {
    float least = values[0];
    std::size_t k = 0;
    if (count >= kLanes) {
        Lanes lanes = load(values);
        for (k = kLanes; k + kLanes <= count; k += kLanes) {
            const Lanes next = load(values + k);
            lanes = next < lanes ? next : lanes;
        }
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            least = lanes[lane] < least ? lanes[lane] : least;
        }
    }
    for (; k < count; ++k) {
        least = values[k] < least ? values[k] : least;
    }
    for (k = 0; k + 1 < count; ++k) {
        if (values[k] == least) {
            break;
        }
    }
    return k;
}

std::size_t icm_sweep(const float* unary, const float* pairwise, std::size_t num_codebooks,
                      std::size_t codebook_size, const std::uint32_t* order, float* costs,
                      std::uint8_t* codes) {
    const std::size_t num_codewords = num_codebooks * codebook_size;
    std::size_t changed = 0;
    for (std::size_t step = 0; step < num_codebooks; ++step) {
        const std::size_t m = order[step];
        for (std::size_t k = 0; k < codebook_size; ++k) {
            costs[k] = unary[m * codebook_size + k];
        }
        for (std::size_t other = 0; other < num_codebooks; ++other) {
            if (other == m) {
                continue;
            }
            const float* row = pairwise + (other * codebook_size + codes[other]) * num_codewords +
                               m * codebook_size;
            for (std::size_t k = 0; k < codebook_size; ++k) {
                costs[k] += row[k];
            }
        }
        const std::size_t best = index_of_least(costs, codebook_size);
        if (best != codes[m]) {
            codes[m] = static_cast<std::uint8_t>(best);
            ++changed;
        }
    }
    return changed;
}

}  // namespace

const EncodeKernels& encode_kernels_scalar() {
    static constexpr EncodeKernels kernels{icm_sweep};
    return kernels;
}

}  // namespace wsdhq::kernels
