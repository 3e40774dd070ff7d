#include "beam.hpp"

#include <algorithm>
#include <cstring>

namespace wsdhq {
namespace {

// Codebooks by falling mean of c^T S c, equal ones by index.
std::vector<std::uint32_t> order_of_codebooks(const EncodingTables& tables) {
    std::vector<double> sums(tables.num_codebooks(), 0.0);
    std::vector<std::uint32_t> order(tables.num_codebooks());
    for (std::size_t m = 0; m < order.size(); ++m) {
        order[m] = static_cast<std::uint32_t>(m);
        for (std::size_t k = 0; k < tables.codebook_size(); ++k) {
            sums[m] += tables.square(m, k);
        }
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return sums[a] > sums[b]; });
    return order;
}

}  // namespace

BeamSearch::BeamSearch(const EncodingTables& tables, std::size_t width)
    : tables_(tables),
      width_(width),
      order_(order_of_codebooks(tables)),
      codes_(width * tables.num_codebooks()),
      next_codes_(codes_.size()),
      totals_(width),
      costs_(width * tables.padded_size()),
      minima_(width * kernels::kLaneCount),
      least_(width),
      found_(tables.padded_size() + kernels::kLaneCount) {}

std::size_t BeamSearch::search(const std::int32_t* unary, const kernels::EncodeKernels& kernels) {
    const std::size_t size = tables_.padded_size();
    const std::size_t bytes = tables_.num_codebooks();
    count_ = 1;
    totals_[0] = 0;
    for (std::size_t step = 0; step < bytes; ++step) {
        const std::size_t m = order_[step];
        for (std::size_t b = 0; b < count_; ++b) {
            least_[b] = tables_.costs(totals_[b], unary, m, codes_.data() + b * bytes,
                                      order_.data(), step, kernels, costs_.data() + b * size,
                                      minima_.data() + b * kernels::kLaneCount);
        }
        const std::size_t wanted = std::min(width_, count_ * tables_.codebook_size());
        const std::int32_t limit = limit_for(wanted, kernels);
        candidates_.clear();
        for (std::uint32_t b = 0; b < count_; ++b) {
            if (least_[b] > limit) {
                continue;
            }
            const std::int32_t* costs = costs_.data() + b * size;
            const std::size_t count = kernels.find_at_most(costs, size, limit, found_.data());
            for (std::size_t i = 0; i < count; ++i) {
                if (found_[i] < tables_.codebook_size()) {
                    candidates_.push_back({costs[found_[i]], b, found_[i]});
                }
            }
        }
        keep_best(wanted, *std::min_element(least_.begin(), least_.begin() + static_cast<std::ptrdiff_t>(count_)), limit, kernels);
        for (std::size_t i = 0; i < wanted; ++i) {
            const Candidate& kept = candidates_[i];
            std::memcpy(next_codes_.data() + i * bytes, codes_.data() + kept.parent * bytes, bytes);
            next_codes_[i * bytes + m] = static_cast<std::uint8_t>(kept.codeword);
            totals_[i] = kept.cost;
        }
        codes_.swap(next_codes_);
        count_ = wanted;
    }
    return count_;
}

// A cost that at least `wanted` continuations do not exceed, and few more: found by bisection among
// the minima of the lanes, of which each stands for a continuation of its own.
std::int32_t BeamSearch::limit_for(std::size_t wanted,
                                   const kernels::EncodeKernels& kernels) const {
    const std::size_t size = count_ * kernels::kLaneCount;
    constexpr std::int32_t largest_cost = EncodingTables::kLargestCost;
    if (kernels.count_at_most(minima_.data(), size, largest_cost) < wanted) {
        return largest_cost;  // lanes of padding, or fewer lanes than wanted
    }
    const auto [best, worst] = std::minmax_element(least_.begin(), least_.begin() + static_cast<std::ptrdiff_t>(count_));
    std::int64_t low = static_cast<std::int64_t>(*best) - 1;  // too few
    std::int64_t high = count_ >= wanted ? *worst : largest_cost;
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        const std::size_t count =
            kernels.count_at_most(minima_.data(), size, static_cast<std::int32_t>(middle));
        if (count < wanted) {
            low = middle;
        } else {
            high = middle;
            if (count <= wanted + wanted / 4) {
                break;
            }
        }
    }
    return static_cast<std::int32_t>(high);
}

// Leaves the `wanted` best candidates, in their order.
void BeamSearch::keep_best(std::size_t wanted, std::int32_t least, std::int32_t limit,
                           const kernels::EncodeKernels& kernels) {
    if (candidates_.size() <= wanted) {
        return;
    }
    // The cost of the last to keep, by bisection.
    found_costs_.clear();
    for (const Candidate& candidate : candidates_) {
        found_costs_.push_back(candidate.cost);
    }
    while (found_costs_.size() % kernels::kLaneCount != 0) {
        found_costs_.push_back(EncodingTables::kPaddingCost);
    }
    std::int64_t low = static_cast<std::int64_t>(least) - 1;
    std::int64_t high = limit;
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        const std::size_t count = kernels.count_at_most(found_costs_.data(), found_costs_.size(),
                                                        static_cast<std::int32_t>(middle));
        (count < wanted ? low : high) = middle;
        if (count == wanted) {
            break;
        }
    }
    const auto last = static_cast<std::int32_t>(high);
    const std::size_t below =
        kernels.count_at_most(found_costs_.data(), found_costs_.size(), last - 1);
    // Of those that cost as much as the last, the first ones; all of them after an early end of the
    // bisection.
    std::size_t equal_left = wanted - std::min(wanted, below);
    std::size_t kept = 0;
    for (const Candidate& candidate : candidates_) {
        if (candidate.cost < last || (candidate.cost == last && equal_left > 0)) {
            equal_left -= candidate.cost == last;
            candidates_[kept++] = candidate;
        }
    }
    candidates_.resize(kept);
}

const std::uint8_t* BeamSearch::take() {
    constexpr std::int32_t taken = EncodingTables::kPaddingCost;
    const auto best = std::min_element(totals_.begin(), totals_.begin() + static_cast<std::ptrdiff_t>(count_));
    *best = taken;
    return codes_.data() + static_cast<std::size_t>(best - totals_.begin()) * tables_.num_codebooks();
}

}  // namespace wsdhq
