// From a threshold on scores to one on sums of 8-bit table entries, which loses no result.
//
// Let t[m, k] be the float table of a query, M its codebooks, A = sum_m max_k |t[m, k]|, and
// u = 2^-24. A score is made from p, the float sum of M entries, m ascending. A sum of M floats,
// in any order, is off by at most (M - 1) u / (1 - (M - 1) u) times the sum of their magnitudes
// (additions that end in denormals are exact), so with M < 2^22
//
//     |p - P| <= e,   P = sum_m t[m, code_m],   e = 2 M u A                               (1)
//
// (twice what is needed). A vector that reaches the threshold s has U >= s' where
//
//   inner product  U = P,                 s' = s - e, from (1).
//   l2             U = 2 P - norm,        s' = s + |q|^2 - 2 e - r.
//       The score is -max(d, 0) with d = fl(fl(|q|^2 + norm) - 2 p); it reaches s, so d <= -s and
//       (|q|^2 + norm) - 2 p <= -s + u' (|d| + |q|^2 + norm), u' = u (1 + 2^-20). There
//       |d| <= |s| + 3 A, and norm <= |s| + 3 A + |q|^2 as otherwise d > -s. So the error is less
//       than r = 2^-21 (|q|^2 + 4 A + 2 |s|), which is several times what is needed.
//   cosine         U = P - s |q| norm,    s' = -e - r,   for s >= 2^-100 alone.
//       The score is p / fl(|q| norm), clamped to [-1, 1]; it reaches s > 0, so
//       p >= s (1 - 2 u) fl(|q| norm) (the quotient is not denormal) and
//       fl(|q| norm) >= (1 - u) |q| norm - 2^-149. With s |q| norm <= 2 A + 2^-148 the error is
//       less than r = 2^-20 A + 2^-140. An s above 1 is reached by nothing, so that nothing is
//       lost whatever U is. A norm of zero scores 0 < s.
//
// In each case U = sum_m w t[m, code_m] - v norm with w, v >= 0 given, and norm >= edge[bin], so
//
//     sum_m w (max_k t[m, k] - t[m, code_m]) + v (edge[bin] - edge[0]) <= R,              (2)
//     R = w sum_m max_k t[m, k] - v edge[0] - s'.
//
// All terms of (2) are losses, not negative. The 8-bit entries are i (1 - 2^-20) times these
// losses, rounded down to integers at most 255, where i = inverse_step: the three roundings to
// float on the way (the difference, the factor, the product) are each at most u of the value and
// cannot undo the factor 1 - 2^-20; factors below 2^-100, where denormals could, are taken as 0.
// An entry is then at most i times its loss, the saturated sum of a row per codebook at most i
// times the sum of (2), and being an integer
//
//     sum <= floor(i R)                                                                   (3)
//
// for every vector that reaches s. R is evaluated in double, where it rounds by 2^-50 of its terms,
// far inside the slack of e and r; the edges get a slack of their own. In cosine the tables may
// have been made for a lower threshold s0: then U0 = P - s0 |q| norm >= U + (s - s0) |q| edge[0],
// and (2) holds with the losses of s0 and the R of s. In the others v does not depend on s.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "wsdhq/searcher.hpp"

namespace wsdhq {

// What is not a number comes after all numbers: only sums beyond the range of float are none, but
// an order of results cannot do without.
inline float ordered(float score) {
    return score == score ? score : -std::numeric_limits<float>::infinity();
}

// A query, its table, and what bounds them.
struct PreparedQuery {
    const float* table = nullptr;    // (num_codebooks, kernels::kTableSize), 0 beyond the codebook
    const float* largest = nullptr;  // (num_codebooks): max_k t[m, k] over the codebook
    float norm = 0.0f;               // |q - shift|^2 for l2, |q| for cosine
    double sum_of_largest = 0.0;
    double magnitude = 0.0;  // A

    // The float score of a vector with this sum of entries and this norm.
    float score(Similarity similarity, float sum, float norm_of_vector) const;
    // At least the score of any vector with this sum whose norm is at least `edge`: float
    // operations keep order, so this is exact, without slack.
    float max_score(Similarity similarity, float sum, float edge) const;
};

// The 8-bit tables of one query and their threshold.
class ScoreFilter {
public:
    // losses: (num_codebooks + 1 with norms, kernels::kTableSize), written by `raise`.
    ScoreFilter(const PreparedQuery& query, Similarity similarity, std::size_t num_codebooks,
                const float* norm_edges, std::uint8_t* losses);

    // Results must have at least `score`, which never falls from one call to the next. Makes the
    // 8-bit tables anew when they have become too coarse for the range left.
    void raise(float score, const kernels::SearchKernels& kernels);

    // Whether the 8-bit tables may be used: not where the bounds do not hold or say nothing.
    bool is_usable() const { return usable_; }
    std::uint8_t threshold() const { return threshold_; }

private:
    double range(float score) const;  // R, or infinity
    void quantize(float score, double range, const kernels::SearchKernels& kernels);

    const PreparedQuery* query_;
    Similarity similarity_;
    std::size_t num_codebooks_;
    const float* norm_edges_;
    std::uint8_t* losses_;
    bool usable_ = false;
    std::uint8_t threshold_ = 0;
    double inverse_step_ = 0.0;
    double quantized_range_ = 0.0;
};

}  // namespace wsdhq
