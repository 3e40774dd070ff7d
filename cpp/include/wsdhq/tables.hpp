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
#include "wsdhq/aligned.hpp"
#include "wsdhq/interrupt.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq {

// Panels of kernels::kPanelWidth columns; column c is `scale` times row c of `rows`.
AlignedVector<float> pack_columns(VectorsView rows, float scale);

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

// A block of centred vectors in whole numbers, as EncodingTables::unary wants them.
struct IntegerVectors {
    explicit IntegerVectors(std::size_t num_vectors, std::size_t dim);

    // Vector n, times a power of two that makes its norm just less than 2^15, rounded.
    void set(std::size_t n, const float* vector);

    std::size_t dim;
    std::size_t num_pairs;
    std::vector<std::int16_t> values;     // (num_vectors, num_pairs, 2)
    std::vector<std::int32_t> exponents;  // of the powers of two
    std::vector<double> norms;            // |x|
    std::vector<double> errors;           // |x - its rounded value|
};

// The terms of the objective in whole numbers of 2^-exponent, for speed, and in double, for truth.
//
// U comes from an integer matrix product of 16-bit vectors and codewords: each is scaled by a power
// of two to a norm below 2^15, so that by the inequality of Cauchy and Schwarz no partial sum
// leaves 32 bits. P is stored in 16 bits where that loses nothing that matters (see
// `choose_units`), in 32 otherwise. All sums are exact in 32 bits: every level, and every order
// of addition, gives the same.
//
// What the whole numbers may be wrong by is bounded by `margin`; a decision that they leave open is
// taken in double, by `exact_cost`.
class EncodingTables {
public:
    // `codebooks` centred already (or perturbed after centring), and kept by reference; `metric`
    // (dim, dim) symmetric, or nullptr for the identity. Throws Cancelled.
    EncodingTables(CodebooksView codebooks, const float* metric,
                   const kernels::KernelTable& kernels, int threads, Interrupt& interrupt);

    std::size_t num_codebooks() const { return codebooks_.num_codebooks; }
    std::size_t codebook_size() const { return codebooks_.codebook_size; }
    std::size_t dim() const { return codebooks_.dim; }
    // Codewords of a codebook in the integer tables, padded to a multiple of kernels::kLaneCount;
    // what is added has a cost of kPaddingCost, above any codeword's.
    std::size_t padded_size() const { return padded_size_; }
    static constexpr std::int32_t kPaddingCost = 1 << 30;
    // No cost, and no total of a beam, is above it; a total with padding always is.
    static constexpr std::int32_t kLargestCost = (1 << 29) - 1;
    static constexpr std::size_t kMaxCodebooks = 1024;

    // U of vectors into (num_vectors, num_codebooks, padded_size). A vector that `fits` not is
    // taken as zero: its whole numbers say nothing.
    void unary(IntegerVectors& vectors, std::size_t num_vectors,
               const kernels::EncodeKernels& kernels, std::int32_t* out) const;
    bool fits(double norm) const { return norm <= largest_norm_; }

    // costs[k] = base + unary[k] + sum of P[o, code[o]; m, k] over the codebooks o that `others`
    // lists; `minima` receives the least of each lane. Returns the least cost.
    std::int32_t costs(std::int32_t base, const std::int32_t* unary, std::size_t m,
                       const std::uint8_t* code, const std::uint32_t* others,
                       std::size_t num_others, const kernels::EncodeKernels& kernels,
                       std::int32_t* costs, std::int32_t* minima) const;

    // The same in 16 bits, for a start: `first` (num_codebooks, padded_size) holds what U narrowed
    // to. Only where the tables of P are of 16 bits.
    bool is_narrow() const { return narrow_; }
    std::int16_t narrow_costs(std::int16_t base, const std::int16_t* first, std::size_t m,
                              const std::uint8_t* code, const std::uint32_t* others,
                              std::size_t num_others, const kernels::EncodeKernels& kernels,
                              std::int16_t* costs, std::int16_t* minima) const;

    // How far two costs of codebook m may be apart in whole numbers although the true order is the
    // other way round, for a vector of this norm and rounding error.
    std::int32_t margin(std::size_t m, double norm, double error) const;

    // What codeword k of codebook m adds to the objective, but for a constant: residual is the
    // vector less the codewords of the other codebooks. In double, in one order of addition.
    double exact_cost(const double* residual, std::size_t m, std::size_t k) const;
    // E(b) - const of a centred vector, in double; `scratch` holds 3 dim.
    double objective(const float* vector, const std::uint8_t* code, double* scratch) const;

    const float* codeword(std::size_t m, std::size_t k) const { return codebooks_.codeword(m, k); }
    double square(std::size_t m, std::size_t k) const { return squares_[m * codebook_size() + k]; }

private:
    CodebooksView codebooks_;
    std::size_t padded_size_;
    std::vector<float> weighted_;  // (M K, D): S c; empty for the identity
    std::vector<double> squares_;  // (M K): c^T S c

    int exponent_ = 0;           // the unit of the whole numbers is 2^-exponent
    double largest_norm_ = 0.0;  // of a vector whose U fits
    bool narrow_ = true;
    AlignedVector<std::int32_t> column_terms_;     // (M, padded_size): c^T S c
    AlignedVector<std::int32_t> column_shifts_;    // (M, padded_size)
    AlignedVector<std::int16_t> packed_;           // (M padded_size / 16, num_pairs, 16, 2): S c
    AlignedVector<std::int16_t> narrow_pairwise_;  // (M K, M, padded_size): P in one of the two
    AlignedVector<std::int32_t> wide_pairwise_;
    // By codebook, in whole numbers: margin = constant + of_norm |x| + of_error |x - rounded x|.
    struct Margin {
        double constant, of_norm, of_error;
    };
    std::vector<Margin> margins_;
    std::vector<double> weighted_norms_;  // (M): the largest |S c| of a codebook
    std::vector<double> packed_errors_;   // (M): the largest |S c - its rounded value|

    const float* weighted(std::size_t codeword) const {
        return (weighted_.empty() ? codebooks_.data : weighted_.data()) + codeword * dim();
    }
    // Pointers to P[o, code[o]; m, 0] for each o of `others`.
    template <typename Entry>
    void find_rows(const AlignedVector<Entry>& table, std::size_t m, const std::uint8_t* code,
                   const std::uint32_t* others, std::size_t num_others, const Entry** rows) const {
        const std::size_t row_size = num_codebooks() * padded_size_;
        for (std::size_t i = 0; i < num_others; ++i) {
            const std::size_t row = others[i] * codebook_size() + code[others[i]];
            rows[i] = table.data() + row * row_size + m * padded_size_;
        }
    }
    void apply_metric(const float* metric, int threads, Interrupt& interrupt);
    void choose_units(double largest_pairwise);
    void pack_weighted();
    void fill_pairwise(const AlignedVector<float>& packed, const kernels::KernelTable& kernels,
                       int threads, Interrupt& interrupt);
};

}  // namespace wsdhq
