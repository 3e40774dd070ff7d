#include "encode/sweeps.hpp"

#include <algorithm>

#include "wsdhq/random.hpp"

namespace wsdhq {

const std::uint32_t* SweepOrders::of(std::uint32_t sweep) {
    if (sweep >= kRemembered) {
        random::permutation(seed_, sweep, num_codebooks_, other_.data());
        return other_.data();
    }
    for (; num_known_ <= sweep; ++num_known_) {
        random::permutation(seed_, num_known_, num_codebooks_,
                            remembered_.data() + num_known_ * num_codebooks_);
    }
    return remembered_.data() + sweep * num_codebooks_;
}

BlockSweeps::BlockSweeps(const EncodingTables& tables, std::size_t max_vectors)
    : tables_(tables),
      unary_size_(tables.num_codebooks() * tables.padded_size()),
      integers_(max_vectors, tables.dim()),
      unary_(max_vectors * unary_size_),
      costs_(tables.padded_size() + kernels::kLaneCount),
      found_(tables.padded_size() + kernels::kLaneCount),
      scratch_(3 * tables.dim()) {
    for (std::uint32_t m = 0; m < tables.num_codebooks(); ++m) {
        for (std::uint32_t other = 0; other < tables.num_codebooks(); ++other) {
            if (other != m) {
                others_.push_back(other);
            }
        }
    }
}

void BlockSweeps::load(const float* vectors, std::size_t num_vectors,
                       const kernels::EncodeKernels& kernels) {
    vectors_ = vectors;
    for (std::size_t n = 0; n < num_vectors; ++n) {
        integers_.set(n, vector(n));
    }
    tables_.unary(integers_, num_vectors, kernels, unary_.data());
}

std::int32_t BlockSweeps::conditional_costs(std::size_t n, std::size_t m, const std::uint8_t* code,
                                            const kernels::EncodeKernels& kernels) {
    const std::size_t num_others = tables_.num_codebooks() - 1;
    return tables_.costs(0, unary(n), m, code, others_.data() + m * num_others, num_others, kernels,
                         costs_.data(), costs_.data() + tables_.padded_size());
}

void BlockSweeps::sweep(std::size_t n, const std::uint32_t* order,
                        const kernels::EncodeKernels& kernels, std::uint8_t* code) {
    for (std::size_t step = 0; step < tables_.num_codebooks(); ++step) {
        const std::size_t m = order[step];
        const std::int32_t least = conditional_costs(n, m, code, kernels);
        kernels.find_at_most(costs_.data(), tables_.padded_size(), least, found_.data());
        code[m] = static_cast<std::uint8_t>(found_[0]);
    }
}

std::size_t BlockSweeps::exact_sweep(std::size_t n, const std::uint32_t* order,
                                     const kernels::EncodeKernels& kernels, std::uint8_t* code) {
    const bool fits = tables_.fits(integers_.norms[n]);
    bool residual_is_known = false;
    std::size_t changed = 0;
    num_open_ = 0;
    for (std::size_t step = 0; step < tables_.num_codebooks(); ++step) {
        const std::size_t m = order[step];
        const std::int32_t least = conditional_costs(n, m, code, kernels);
        const std::int32_t limit =
            fits ? least + tables_.margin(m, integers_.norms[n], integers_.errors[n])
                 : EncodingTables::kLargestCost;
        const std::size_t count =
            kernels.find_at_most(costs_.data(), tables_.padded_size(), limit, found_.data());
        std::size_t best = found_[0];
        if (count > 1) {
            num_open_ += std::min(count, tables_.codebook_size()) - 1;
            if (!residual_is_known) {
                take_residual(n, code);
                residual_is_known = true;
            }
            best = best_of_found(m, code[m], count);
        }
        if (best != code[m]) {
            if (residual_is_known) {
                move_residual(m, code[m], best);
            }
            code[m] = static_cast<std::uint8_t>(best);
            ++changed;
        }
    }
    return changed;
}

void BlockSweeps::take_residual(std::size_t n, const std::uint8_t* code) {
    double* residual = scratch_.data();
    std::copy(vector(n), vector(n) + tables_.dim(), residual);
    for (std::size_t m = 0; m < tables_.num_codebooks(); ++m) {
        const float* codeword = tables_.codeword(m, code[m]);
        for (std::size_t d = 0; d < tables_.dim(); ++d) {
            residual[d] -= codeword[d];
        }
    }
}

void BlockSweeps::move_residual(std::size_t m, std::size_t from, std::size_t to) {
    double* residual = scratch_.data();
    const float* old_codeword = tables_.codeword(m, from);
    const float* new_codeword = tables_.codeword(m, to);
    for (std::size_t d = 0; d < tables_.dim(); ++d) {
        residual[d] = (residual[d] + old_codeword[d]) - new_codeword[d];
    }
}

std::size_t BlockSweeps::best_of_found(std::size_t m, std::size_t current, std::size_t count) {
    double* without = scratch_.data() + tables_.dim();
    const float* codeword = tables_.codeword(m, current);
    for (std::size_t d = 0; d < tables_.dim(); ++d) {
        without[d] = scratch_[d] + codeword[d];
    }
    std::size_t best = current;
    double least = 0.0;
    for (std::size_t i = 0; i < count && found_[i] < tables_.codebook_size(); ++i) {
        const double cost = tables_.exact_cost(without, m, found_[i]);
        if (i == 0 || cost < least) {
            best = found_[i];
            least = cost;
        }
    }
    return best;
}

}  // namespace wsdhq
