// A block of vectors under one set of tables: sweeps of iterated conditional modes over their
// codes.
#pragma once

#include <cstdint>
#include <vector>

#include "wsdhq/tables.hpp"

namespace wsdhq {

// The orders in which sweeps visit the codebooks, keyed by (seed, sweep): the same for all vectors.
class SweepOrders {
public:
    SweepOrders(std::uint64_t seed, std::size_t num_codebooks)
        : seed_(seed),
          num_codebooks_(num_codebooks),
          remembered_(kRemembered * num_codebooks),
          other_(num_codebooks) {}

    // Valid until the next call. Never allocates: threads call it in a parallel region.
    const std::uint32_t* of(std::uint32_t sweep);

private:
    static constexpr std::uint32_t kRemembered = 64;
    std::uint64_t seed_;
    std::size_t num_codebooks_;
    std::vector<std::uint32_t> remembered_;  // (kRemembered, M), the first num_known_ made so far
    std::uint32_t num_known_ = 0;
    std::vector<std::uint32_t> other_;
};

class BlockSweeps {
public:
    BlockSweeps(const EncodingTables& tables, std::size_t max_vectors);

    // `vectors` (num_vectors, dim), centred, are kept by reference until the next call.
    void load(const float* vectors, std::size_t num_vectors, const kernels::EncodeKernels& kernels);

    // One sweep by whole numbers alone: fast, right but for near ties.
    void sweep(std::size_t n, const std::uint32_t* order, const kernels::EncodeKernels& kernels,
               std::uint8_t* code);
    // One sweep whose every decision is that of the true costs, the lowest index of equal ones.
    // Returns how many codewords changed.
    std::size_t exact_sweep(std::size_t n, const std::uint32_t* order,
                            const kernels::EncodeKernels& kernels, std::uint8_t* code);
    // Whether whole numbers left a quarter of the decisions of the last exact_sweep open: they are
    // then too coarse to start from (codewords far longer than others, or a vector far away).
    bool was_coarse() const {
        return 4 * num_open_ > tables_.num_codebooks() * (tables_.codebook_size() - 1);
    }
    double objective(std::size_t n, const std::uint8_t* code) {
        return tables_.objective(vector(n), code, scratch_.data());
    }

    const EncodingTables& tables() const { return tables_; }
    const std::int32_t* unary(std::size_t n) const { return unary_.data() + n * unary_size_; }

private:
    const EncodingTables& tables_;
    std::size_t unary_size_;
    const float* vectors_ = nullptr;
    IntegerVectors integers_;
    AlignedVector<std::int32_t> unary_;
    std::vector<std::uint32_t> others_;  // (M, M - 1): for each codebook, the other ones
    AlignedVector<std::int32_t> costs_;
    std::vector<std::uint32_t> found_;
    std::vector<double> scratch_;  // (3 dim)
    std::size_t num_open_ = 0;     // codewords that might have been the best, but for one

    const float* vector(std::size_t n) const { return vectors_ + n * tables_.dim(); }
    std::int32_t conditional_costs(std::size_t n, std::size_t m, const std::uint8_t* code,
                                   const kernels::EncodeKernels& kernels);
    // The residual of a code lives in the first third of scratch_.
    void take_residual(std::size_t n, const std::uint8_t* code);
    void move_residual(std::size_t m, std::size_t from, std::size_t to);
    // The codeword of the least true cost among the first `count` of found_.
    std::size_t best_of_found(std::size_t m, std::size_t current, std::size_t count);
};

}  // namespace wsdhq
