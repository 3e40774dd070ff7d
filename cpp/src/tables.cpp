#include "wsdhq/tables.hpp"

#include <algorithm>
#include <cmath>

#include "parallel.hpp"

namespace wsdhq {

std::vector<float> pack_columns(VectorsView rows, float scale) {
    constexpr std::size_t width = kernels::kPanelWidth;
    const std::size_t panels = (rows.num_vectors + width - 1) / width;
    std::vector<float> packed(panels * rows.dim * width, 0.0f);
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

EncodingTables::EncodingTables(CodebooksView codebooks, const float* metric,
                               const kernels::KernelTable& kernels, int threads)
    : num_codebooks(codebooks.num_codebooks),
      codebook_size(codebooks.codebook_size),
      dim(codebooks.dim),
      squares(codebooks.num_codewords()),
      weighted(codebooks.data, codebooks.data + codebooks.num_codewords() * codebooks.dim),
      pairwise(codebooks.num_codewords() * codebooks.num_codewords()) {
    const std::size_t num_codewords = codebooks.num_codewords();
    const auto count = static_cast<std::ptrdiff_t>(num_codewords);
    threads = useful_threads(threads, num_codewords, num_codewords * num_codewords * dim);
    if (metric != nullptr) {
        std::vector<double> scratch(static_cast<std::size_t>(threads) * dim);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (std::ptrdiff_t i = 0; i < count; ++i) {
            double* sums = scratch.data() + static_cast<std::size_t>(thread_number()) * dim;
            const float* codeword = codebooks.data + static_cast<std::size_t>(i) * dim;
            std::fill(sums, sums + dim, 0.0);
            for (std::size_t e = 0; e < dim; ++e) {
                const double value = codeword[e];
                const float* row = metric + e * dim;
                for (std::size_t d = 0; d < dim; ++d) {
                    sums[d] += value * row[d];
                }
            }
            float* out = weighted.data() + static_cast<std::size_t>(i) * dim;
            for (std::size_t d = 0; d < dim; ++d) {
                out[d] = static_cast<float>(sums[d]);
            }
        }
    }
    for (std::size_t i = 0; i < num_codewords; ++i) {
        double square = 0.0;
        for (std::size_t d = 0; d < dim; ++d) {
            square += static_cast<double>(codebooks.data[i * dim + d]) * weighted[i * dim + d];
        }
        squares[i] = static_cast<float>(square);
    }
    const VectorsView rows{weighted.data(), num_codewords, dim};
    packed = pack_columns(rows, -2.0f);
    const std::vector<float> doubled = pack_columns(rows, 2.0f);
    constexpr std::ptrdiff_t block = 16;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (std::ptrdiff_t first = 0; first < count; first += block) {
        const auto begin = static_cast<std::size_t>(first);
        const auto taken = static_cast<std::size_t>(std::min(block, count - first));
        kernels.products.inner_products(codebooks.data + begin * dim, taken, dim, doubled.data(),
                                        num_codewords, pairwise.data() + begin * num_codewords);
    }
    // Rounding may differ between (i, j) and (j, i): one of them has to be the truth, or a sweep
    // could undo what the sweep before it did.
#pragma omp parallel for num_threads(threads) schedule(static, 16)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        const auto row = static_cast<std::size_t>(i);
        for (std::size_t j = 0; j < row; ++j) {
            pairwise[row * num_codewords + j] = pairwise[j * num_codewords + row];
        }
    }
}

void EncodingTables::unary(const float* vectors, std::size_t num_vectors,
                           const kernels::KernelTable& kernels, float* out) const {
    const std::size_t num_codewords = num_codebooks * codebook_size;
    kernels.products.inner_products(vectors, num_vectors, dim, packed.data(), num_codewords, out);
    for (std::size_t n = 0; n < num_vectors; ++n) {
        for (std::size_t i = 0; i < num_codewords; ++i) {
            out[n * num_codewords + i] += squares[i];
        }
    }
}

double EncodingTables::objective(const float* vector, const std::uint8_t* code) const {
    const std::size_t num_codewords = num_codebooks * codebook_size;
    double sum = 0.0;
    for (std::size_t m = 0; m < num_codebooks; ++m) {
        const std::size_t i = m * codebook_size + code[m];
        double product = 0.0;
        for (std::size_t d = 0; d < dim; ++d) {
            product += static_cast<double>(vector[d]) * weighted[i * dim + d];
        }
        sum += squares[i] - 2.0 * product;
        for (std::size_t other = 0; other < m; ++other) {
            sum += pairwise[(other * codebook_size + code[other]) * num_codewords + i];
        }
    }
    return sum;
}

}  // namespace wsdhq
