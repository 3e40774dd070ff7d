#include <algorithm>
#include <cmath>

#include "wsdhq/tables.hpp"

namespace wsdhq {

AlignedVector<float> pack_columns(VectorsView rows, float scale) {
    constexpr std::size_t width = kernels::kPanelWidth;
    const std::size_t panels = (rows.num_vectors + width - 1) / width;
    AlignedVector<float> packed(panels * rows.dim * width, 0.0f);
    for (std::size_t c = 0; c < rows.num_vectors; ++c) {
        float* column = packed.data() + (c / width) * rows.dim * width + c % width;
        for (std::size_t d = 0; d < rows.dim; ++d) {
            column[d * width] = scale * rows.row(c)[d];
        }
    }
    return packed;
}

namespace {

// Near `mean`, on a grid of a power of two about a sixteenth of `spread`. Being near is enough to
// save the precision; being on the grid keeps data exact that was exact (small integers, say), so
// that exact ties stay ties.
double grid_shift(double mean, double spread) {
    if (spread == 0.0) {
        return mean;
    }
    const double grid = std::ldexp(1.0, std::ilogb(spread) - 4);
    return std::nearbyint(mean / grid) * grid;
}

}  // namespace

CentredCodebooks::CentredCodebooks(CodebooksView codebooks)
    : num_codebooks(codebooks.num_codebooks),
      codebook_size(codebooks.codebook_size),
      dim(codebooks.dim),
      shift(codebooks.dim, 0.0),
      values(codebooks.num_codewords() * codebooks.dim) {
    for (std::size_t m = 0; m < num_codebooks; ++m) {
        for (std::size_t d = 0; d < dim; ++d) {
            const double first = codebooks.codeword(m, 0)[d];
            double least = first;
            double most = first;
            double excess = 0.0;  // over `first`, so that equal values have exactly their mean
            for (std::size_t k = 0; k < codebook_size; ++k) {
                const double value = codebooks.codeword(m, k)[d];
                least = std::min(least, value);
                most = std::max(most, value);
                excess += value - first;
            }
            const double mean = first + excess / static_cast<double>(codebook_size);
            const double moved = grid_shift(mean, most - least);
            shift[d] += moved;
            for (std::size_t k = 0; k < codebook_size; ++k) {
                values[(m * codebook_size + k) * dim + d] =
                    static_cast<float>(codebooks.codeword(m, k)[d] - moved);
            }
        }
    }
}

}  // namespace wsdhq
