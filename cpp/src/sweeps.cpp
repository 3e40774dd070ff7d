#include "sweeps.hpp"

#include "wsdhq/random.hpp"

namespace wsdhq {

const std::uint32_t* SweepOrders::of(std::uint32_t sweep) {
    if (sweep >= kRemembered) {
        other_.resize(num_codebooks_);
        random::permutation(seed_, sweep, num_codebooks_, other_.data());
        return other_.data();
    }
    while (remembered_.size() <= sweep) {
        remembered_.emplace_back(num_codebooks_);
        random::permutation(seed_, static_cast<std::uint32_t>(remembered_.size() - 1),
                            num_codebooks_, remembered_.back().data());
    }
    return remembered_[sweep].data();
}

BlockSweeps::BlockSweeps(const EncodingTables& tables, std::size_t most_vectors)
    : tables_(tables),
      unary_size_(tables.num_codebooks() * tables.padded_size()),
      integers_(most_vectors, tables.dim()),
      unary_(most_vectors * unary_size_),
      costs_(tables.padded_size() + kernels::kLaneCount),
      found_(tables.padded_size() + kernels::kLaneCount),
      scratch_(2 * tables.dim()) {
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
    std::size_t changed = 0;
    for (std::size_t step = 0; step < tables_.num_codebooks(); ++step) {
        const std::size_t m = order[step];
        const std::int32_t least = conditional_costs(n, m, code, kernels);
        const std::int32_t limit =
            fits ? least + tables_.margin(m, integers_.norms[n], integers_.errors[n])
                 : EncodingTables::kLargestCost;
        const std::size_t count = kernels.find_at_most(costs_.data(), tables_.padded_size(), limit,
                                                       found_.data());
        const std::size_t best = count == 1 ? found_[0] : best_of_found(n, m, code, count);
        changed += best != code[m];
        code[m] = static_cast<std::uint8_t>(best);
    }
    return changed;
}

std::size_t BlockSweeps::best_of_found(std::size_t n, std::size_t m, const std::uint8_t* code,
                                       std::size_t count) {
    const std::size_t dim = tables_.dim();
    double* residual = scratch_.data();
    for (std::size_t d = 0; d < dim; ++d) {
        residual[d] = vector(n)[d];
    }
    for (std::size_t other = 0; other < tables_.num_codebooks(); ++other) {
        if (other != m) {
            const float* codeword = tables_.codeword(other, code[other]);
            for (std::size_t d = 0; d < dim; ++d) {
                residual[d] -= codeword[d];
            }
        }
    }
    std::size_t best = code[m];
    double least = 0.0;
    bool first = true;
    for (std::size_t i = 0; i < count && found_[i] < tables_.codebook_size(); ++i) {
        const double cost = tables_.exact_cost(residual, m, found_[i]);
        if (first || cost < least) {
            best = found_[i];
            least = cost;
            first = false;
        }
    }
    return best;
}

}  // namespace wsdhq
