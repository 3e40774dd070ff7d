// Inner products in the instructions of the baseline: the definition.
#include "compiler.hpp"
#include "product_kernels.hpp"

namespace wsdhq::kernels {
namespace {

// Left to itself the compiler spills the sums to memory and loses a factor of five.
using Lanes = FloatQuad;
constexpr std::size_t kLanes = 4;
constexpr std::size_t kRows = 4;                    // rows and
constexpr std::size_t kHalf = 2;                    // lanes of a panel handled at once:
constexpr std::size_t kHalfWidth = kHalf * kLanes;  // their sums fill half the registers
static_assert(kPanelWidth % kHalfWidth == 0);

Lanes load(const float* from) { return *reinterpret_cast<const Lanes*>(from); }
void store(float* to, Lanes lanes) { *reinterpret_cast<Lanes*>(to) = lanes; }

template <std::size_t Rows>
void panel_products(const float* vectors, std::size_t dim, const float* panel, std::size_t width,
                    float* products, std::size_t num_columns) {
    for (std::size_t first = 0; first < width; first += kHalfWidth) {
        Lanes sums[Rows][kHalf] = {};
        for (std::size_t d = 0; d < dim; ++d) {
            const float* weights = panel + d * kPanelWidth + first;
#pragma GCC unroll 4
            for (std::size_t row = 0; row < Rows; ++row) {
                const float value = vectors[row * dim + d];
#pragma GCC unroll 2
                for (std::size_t lane = 0; lane < kHalf; ++lane) {
                    sums[row][lane] += value * load(weights + lane * kLanes);
                }
            }
        }
        const std::size_t left = width - first < kHalfWidth ? width - first : kHalfWidth;
        for (std::size_t row = 0; row < Rows; ++row) {
            float* out = products + row * num_columns + first;
            float values[kHalfWidth];
            store(values, sums[row][0]);
            store(values + kLanes, sums[row][1]);
            for (std::size_t column = 0; column < left; ++column) {
                out[column] = values[column];
            }
        }
    }
}

void inner_products(const float* vectors, std::size_t num_vectors, std::size_t dim,
                    const float* packed, std::size_t num_columns, float* products) {
    for (std::size_t first = 0; first < num_columns; first += kPanelWidth) {
        const float* panel = packed + first * dim;
        const std::size_t left = num_columns - first;
        const std::size_t width = left < kPanelWidth ? left : kPanelWidth;
        std::size_t n = 0;
        for (; n + kRows <= num_vectors; n += kRows) {
            panel_products<kRows>(vectors + n * dim, dim, panel, width,
                                  products + n * num_columns + first, num_columns);
        }
        for (; n < num_vectors; ++n) {
            panel_products<1>(vectors + n * dim, dim, panel, width,
                              products + n * num_columns + first, num_columns);
        }
    }
}

}  // namespace

const ProductKernels& product_kernels_scalar() {
    static constexpr ProductKernels kernels{inner_products};
    return kernels;
}

}  // namespace wsdhq::kernels
