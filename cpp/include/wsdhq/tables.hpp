// What encoding knows of a codebook set: the objective, expanded (method section 4).
//
//   E(b) = const + sum_m U[m, b_m] + sum_{m < m'} P[m, b_m; m', b_m']
//   U[m, k]         = c_mk^T S c_mk - 2 x^T S c_mk
//   P[m, k; m', k'] = 2 c_mk^T S c_m'k'
//
// with the metric S. Every codebook is first shifted near mean zero and the vectors by the sum of
// the shifts, which leaves every residual as it was: an offset of the data then costs no precision.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq {

// Panels of kernels::kPanelWidth columns; column c is `scale` times row c of `rows`.
std::vector<float> pack_columns(VectorsView rows, float scale);

// The shift of each codebook and the codebooks without it.
struct CentredCodebooks {
    explicit CentredCodebooks(CodebooksView codebooks);

    CodebooksView view() const { return {values.data(), num_codebooks, codebook_size, dim}; }

    std::size_t num_codebooks;
    std::size_t codebook_size;
    std::size_t dim;
    std::vector<double> shift;  // (dim): the sum of the codebooks' shifts
    std::vector<float> values;  // (num_codebooks, codebook_size, dim), means near zero
};

class EncodingTables {
public:
    // `codebooks` centred already (or perturbed after centring); `metric` (dim, dim) symmetric, or
    // nullptr for the identity.
    EncodingTables(CodebooksView codebooks, const float* metric,
                   const kernels::KernelTable& kernels, int threads);

    std::size_t num_codebooks;
    std::size_t codebook_size;
    std::size_t dim;
    std::vector<float> squares;   // (M K): c^T S c
    std::vector<float> weighted;  // (M K, D): S c
    std::vector<float> packed;    // -2 S c, as panels
    std::vector<float> pairwise;  // (M K, M K), symmetric

    // U of centred vectors (num_vectors, dim) into (num_vectors, M K).
    void unary(const float* vectors, std::size_t num_vectors, const kernels::KernelTable& kernels,
               float* out) const;

    // E(b) - const of one centred vector, in double: M inner products, no table U needed.
    double objective(const float* vector, const std::uint8_t* code) const;
};

}  // namespace wsdhq
