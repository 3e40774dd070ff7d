#include "encode/beam.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace wsdhq {

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

namespace {

template <typename Cost>
class Beam final : public BeamSearch {
    static constexpr bool kNarrow = std::is_same_v<Cost, std::int16_t>;
    static constexpr Cost kMax = std::numeric_limits<Cost>::max();
    // What is above it may be padding, or a sum that met the end of the range.
    static constexpr Cost kLargest =
        kNarrow ? kMax - 1 : static_cast<Cost>(EncodingTables::kLargestCost);

public:
    Beam(const EncodingTables& tables, std::size_t width)
        : tables_(tables),
          width_(width),
          order_(order_of_codebooks(tables)),
          words_((tables.num_codebooks() + 7) / 8),
          codes_(width * words_),
          next_codes_(codes_.size()),
          totals_(width),
          narrow_unary_(kNarrow ? tables.num_codebooks() * tables.padded_size() : 0),
          costs_(width * tables.padded_size()),
          minima_(width * kernels::kLaneCount),
          least_(width),
          found_(tables.padded_size()) {
        const std::size_t most = width * tables.padded_size() + kernels::kLaneCount;
        found_costs_.reserve(most);
        found_places_.reserve(most);
    }

    std::size_t search(const std::int32_t* unary, std::size_t wanted,
                       const kernels::EncodeKernels& kernels) override {
        const std::size_t steps = tables_.num_codebooks();
        count_ = 1;
        totals_[0] = 0;
        for (std::size_t step = 0; step < steps; ++step) {
            add_costs(unary, step, kernels);
            const std::size_t kept = step + 1 < steps ? width_ : std::min(wanted, width_);
            collect(std::min(kept, count_ * tables_.codebook_size()), kernels);
            for (std::size_t i = 0; i < found_places_.size(); ++i) {
                const std::size_t parent = found_places_[i] >> 8;
                for (std::size_t word = 0; word < words_; ++word) {
                    next_codes_[i * words_ + word] = codes_[parent * words_ + word];
                }
                bytes_of(next_codes_, i)[order_[step]] =
                    static_cast<std::uint8_t>(found_places_[i] & 0xFF);
                // In 16 bits from the best of the beam on: only differences matter.
                const std::int32_t cost = found_costs_[i];
                totals_[i] = static_cast<Cost>(
                    kNarrow ? std::min<std::int32_t>(cost - lowest_, kMax) : cost);
            }
            codes_.swap(next_codes_);
            count_ = found_places_.size();
        }
        return count_;
    }

    const std::uint8_t* take() override {
        const auto end = totals_.begin() + static_cast<std::ptrdiff_t>(count_);
        const auto best = std::min_element(totals_.begin(), end);
        *best = kMax;
        return bytes_of(codes_, static_cast<std::size_t>(best - totals_.begin()));
    }

private:
    const EncodingTables& tables_;
    std::size_t width_;
    std::vector<std::uint32_t> order_;
    std::size_t words_;  // of 8 bytes, that hold a code
    std::size_t count_ = 0;
    std::vector<std::uint64_t> codes_, next_codes_;  // (width, words)
    std::vector<Cost> totals_;                       // (width)
    AlignedVector<std::int16_t> narrow_unary_;       // (M, padded)
    AlignedVector<Cost> costs_;                      // (width, padded)
    AlignedVector<Cost> minima_;                     // (width, kLaneCount)
    std::vector<Cost> least_;                        // (width)
    Cost lowest_ = 0;                                // of them
    std::vector<std::uint32_t> found_;
    AlignedVector<Cost> found_costs_;          // of the continuations at most the limit, by place:
    std::vector<std::uint32_t> found_places_;  // 256 times the partial code plus the codeword

    std::uint8_t* bytes_of(std::vector<std::uint64_t>& codes, std::size_t i) const {
        return reinterpret_cast<std::uint8_t*>(codes.data() + i * words_);
    }

    static std::size_t count_at_most(const AlignedVector<Cost>& values, std::size_t size,
                                     Cost limit, const kernels::EncodeKernels& kernels) {
        if constexpr (kNarrow) {
            return kernels.count_at_most_narrow(values.data(), size, limit);
        } else {
            return kernels.count_at_most(values.data(), size, limit);
        }
    }

    // The costs of every continuation of every partial code.
    void add_costs(const std::int32_t* unary, std::size_t step,
                   const kernels::EncodeKernels& kernels) {
        const std::size_t size = tables_.padded_size();
        const std::size_t m = order_[step];
        if constexpr (kNarrow) {
            kernels.narrow(unary + m * size, size, narrow_unary_.data() + m * size);
        }
        for (std::size_t b = 0; b < count_; ++b) {
            const std::uint8_t* code = bytes_of(codes_, b);
            Cost* costs = costs_.data() + b * size;
            Cost* minima = minima_.data() + b * kernels::kLaneCount;
            if constexpr (kNarrow) {
                least_[b] = tables_.narrow_costs(totals_[b], narrow_unary_.data(), m, code,
                                                 order_.data(), step, kernels, costs, minima);
            } else {
                least_[b] = tables_.costs(totals_[b], unary, m, code, order_.data(), step, kernels,
                                          costs, minima);
            }
        }
        lowest_ =
            *std::min_element(least_.begin(), least_.begin() + static_cast<std::ptrdiff_t>(count_));
    }

    // The `wanted` best continuations, in their order; fewer only if costs met the end of the
    // range.
    void collect(std::size_t wanted, const kernels::EncodeKernels& kernels) {
        const Cost limit = limit_for(wanted, kernels);
        found_costs_.clear();
        found_places_.clear();
        for (std::size_t b = 0; b < count_; ++b) {
            if (least_[b] > limit) {
                continue;
            }
            const Cost* costs = costs_.data() + b * tables_.padded_size();
            std::size_t count;
            if constexpr (kNarrow) {
                count =
                    kernels.find_at_most_narrow(costs, tables_.padded_size(), limit, found_.data());
            } else {
                count = kernels.find_at_most(costs, tables_.padded_size(), limit, found_.data());
            }
            for (std::size_t i = 0; i < count && found_[i] < tables_.codebook_size(); ++i) {
                found_costs_.push_back(costs[found_[i]]);
                found_places_.push_back(static_cast<std::uint32_t>(b << 8) | found_[i]);
            }
        }
        if (found_places_.size() > wanted) {
            keep_best(wanted, limit, kernels);
        }
    }

    // A cost that at least `wanted` continuations do not exceed, and few more: found by bisection
    // among the minima of the lanes, of which each stands for a continuation of its own, or among
    // all costs where the lanes are too few.
    Cost limit_for(std::size_t wanted, const kernels::EncodeKernels& kernels) const {
        if (lowest_ > kLargest) {
            return kMax;
        }
        if (wanted == 1) {
            return lowest_;
        }
        const AlignedVector<Cost>& values =
            count_ * kernels::kLaneCount >= 2 * wanted ? minima_ : costs_;
        const std::size_t size =
            count_ * (&values == &minima_ ? kernels::kLaneCount : tables_.padded_size());
        if (count_at_most(values, size, kLargest, kernels) < wanted) {
            return kLargest;
        }
        std::int64_t low = static_cast<std::int64_t>(lowest_) - 1;  // too few
        std::int64_t high = kLargest;
        if (count_ >= wanted) {
            high = std::min<std::int64_t>(
                high, *std::max_element(least_.begin(),
                                        least_.begin() + static_cast<std::ptrdiff_t>(count_)));
        }
        while (high - low > 1) {
            const std::int64_t middle = low + (high - low) / 2;
            const std::size_t count =
                count_at_most(values, size, static_cast<Cost>(middle), kernels);
            (count < wanted ? low : high) = middle;
            if (count >= wanted && count <= wanted + wanted / 8) {
                break;
            }
        }
        return static_cast<Cost>(high);
    }

    void keep_best(std::size_t wanted, Cost limit, const kernels::EncodeKernels& kernels) {
        const std::size_t count = found_places_.size();
        while (found_costs_.size() % kernels::kLaneCount != 0) {
            found_costs_.push_back(kMax);
        }
        // The cost of the last to keep. Where it was found early, all at most that are kept.
        std::int64_t low = static_cast<std::int64_t>(lowest_) - 1;
        std::int64_t high = limit;
        while (high - low > 1) {
            const std::int64_t middle = low + (high - low) / 2;
            const std::size_t at_most = count_at_most(found_costs_, found_costs_.size(),
                                                      static_cast<Cost>(middle), kernels);
            (at_most < wanted ? low : high) = middle;
            if (at_most == wanted) {
                break;
            }
        }
        const auto last = static_cast<Cost>(high);
        std::size_t equal_left = wanted;
        for (std::size_t i = 0; i < count; ++i) {
            equal_left -= found_costs_[i] < last;
        }
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const Cost cost = found_costs_[i];
            const bool as_last = cost == last && equal_left > 0;
            found_costs_[kept] = cost;
            found_places_[kept] = found_places_[i];
            equal_left -= as_last;
            kept += cost < last || as_last;
        }
        found_costs_.resize(kept);
        found_places_.resize(kept);
    }
};

}  // namespace

std::unique_ptr<BeamSearch> BeamSearch::make(const EncodingTables& tables, std::size_t width) {
    // One partial code is not worth the narrowing.
    if (tables.is_narrow() && width > 1) {
        return std::make_unique<Beam<std::int16_t>>(tables, width);
    }
    return std::make_unique<Beam<std::int32_t>>(tables, width);
}

}  // namespace wsdhq
