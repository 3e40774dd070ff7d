#include "search/score_filter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wsdhq {
namespace {

constexpr double kSmallest = 0x1p-100;  // factors below this could meet denormals
constexpr double kLargest = 0x1p100;
constexpr double kFinestThreshold = 250.0;
// Tables are made anew when the range has shrunk to this: below, the steps that are left (217)
// would let through more vectors than new tables cost.
constexpr double kShrunk = 0.87;

// The factor of an 8-bit entry, below the exact one by more than all roundings are.
float factor_below(double factor) {
    return factor < kSmallest ? 0.0f
                              : static_cast<float>(std::min(factor, 0x1p120) * (1.0 - 0x1p-20));
}

}  // namespace

float PreparedQuery::score(Similarity similarity, float sum, float norm_of_vector) const {
    float result = sum;
    if (similarity == Similarity::l2) {
        result = 0.0f - std::max((norm + norm_of_vector) - 2.0f * sum, 0.0f);
    } else if (similarity == Similarity::cosine) {
        const float product = norm * norm_of_vector;
        // Where codewords nearly cancel, rounding could carry a cosine past its bounds.
        result = product > 0.0f ? std::clamp(sum / product, -1.0f, 1.0f) : 0.0f;
    }
    return ordered(result);
}

float PreparedQuery::max_score(Similarity similarity, float sum, float edge) const {
    if (similarity == Similarity::cosine) {
        if (!(sum > 0.0f)) {
            return 0.0f;
        }
        if (!(norm * edge > 0.0f)) {
            return 1.0f;
        }
    }
    return score(similarity, sum, edge);
}

ScoreFilter::ScoreFilter(const PreparedQuery& query, Similarity similarity,
                         std::size_t num_codebooks, const float* norm_edges, std::uint8_t* losses)
    : query_(&query),
      similarity_(similarity),
      num_codebooks_(num_codebooks),
      norm_edges_(norm_edges),
      losses_(losses) {}

double ScoreFilter::range(float score) const {
    const double s = score;
    const double magnitude = query_->magnitude;
    const double error = 2.0 * static_cast<double>(num_codebooks_) * 0x1p-24 * magnitude;
    double result = query_->sum_of_largest - s + error;
    if (similarity_ == Similarity::l2) {
        const double edge = norm_edges_[0];
        result = 2.0 * query_->sum_of_largest - edge - s - query_->norm + 2.0 * error +
                 0x1p-21 * (query_->norm + 4.0 * magnitude + 2.0 * std::abs(s)) + 0x1p-40 * edge;
    } else if (similarity_ == Similarity::cosine) {
        if (!(s >= kSmallest)) {
            return std::numeric_limits<double>::infinity();
        }
        const double least = s * query_->norm * norm_edges_[0];
        result = query_->sum_of_largest - least + error + 0x1p-20 * magnitude + 0x1p-40 * least;
    }
    // More than what a processor that flushes denormals to zero could lose.
    return result + 0x1p-120;
}

void ScoreFilter::raise(float score, const kernels::SearchKernels& kernels) {
    const double left = range(score);
    if (!(left < kLargest)) {  // not a number included
        usable_ = false;
        return;
    }
    if (!usable_ || left > quantized_range_ || left < kShrunk * quantized_range_) {
        quantize(score, left, kernels);
    }
    const double most = std::max(left, 0.0) * inverse_step_ * (1.0 + 0x1p-40);
    threshold_ = static_cast<std::uint8_t>(std::min(most, 254.0));
}

void ScoreFilter::quantize(float score, double range, const kernels::SearchKernels& kernels) {
    inverse_step_ = std::min(kFinestThreshold / std::max(range, kSmallest), kLargest);
    quantized_range_ = range;
    usable_ = true;
    const bool is_l2 = similarity_ == Similarity::l2;
    const float factor = factor_below(is_l2 ? 2.0 * inverse_step_ : inverse_step_);
    for (std::size_t m = 0; m < num_codebooks_; ++m) {
        kernels.quantize_losses(query_->table + m * kernels::kTableSize, query_->largest[m], factor,
                                losses_ + m * kernels::kTableSize);
    }
    if (similarity_ == Similarity::inner_product) {
        return;
    }
    float negated[kernels::kTableSize];
    for (std::size_t bin = 0; bin < kernels::kTableSize; ++bin) {
        negated[bin] = -norm_edges_[bin];
    }
    const double weight = is_l2 ? 1.0 : static_cast<double>(score) * query_->norm;
    kernels.quantize_losses(negated, negated[0], factor_below(weight * inverse_step_),
                            losses_ + num_codebooks_ * kernels::kTableSize);
}

}  // namespace wsdhq
