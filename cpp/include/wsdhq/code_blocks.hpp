// Codes as an index stores them, and choosing some of them.
#pragma once

#include <cstdint>
#include <vector>

#include "wsdhq/cpu.hpp"
#include "wsdhq/interrupt.hpp"

namespace wsdhq {

// Codes in blocks of kernels::kBlockSize vectors, codebook-major inside a block: row m holds code
// m of each vector, and for l2 and cosine one more row the bin of its norm. Any byte is safe: a
// code beyond the codebook gives some score, never a read out of bounds.
struct CodeBlocks {
    const std::uint8_t* full = nullptr;  // (num_vectors / kBlockSize, num_rows, kBlockSize)
    const std::uint8_t* last = nullptr;  // (num_rows, kBlockSize): the vectors left over, if any;
                                         // what stands behind them is read and ignored
    std::size_t num_vectors = 0;
    std::size_t num_rows = 0;

    std::size_t num_blocks() const {
        return (num_vectors + kernels::kBlockSize - 1) / kernels::kBlockSize;
    }
    const std::uint8_t* block(std::size_t b) const {
        return b < num_vectors / kernels::kBlockSize ? full + b * num_rows * kernels::kBlockSize
                                                     : last;
    }
};

// Some vectors of an index, put together in blocks of their own, so that searching them costs in
// proportion to their number. Two steps, as the caller holds the memory: the constructor counts,
// `copy` writes.
class Gathering {
public:
    // The vectors that `mask` (num_vectors) marks by a byte that is not 0. Keeps a bit per vector.
    // Throws Cancelled.
    Gathering(const CodeBlocks& blocks, const std::uint8_t* mask, int threads,
              const kernels::KernelTable& kernels, Interrupt& interrupt);
    // The vectors at `positions` (count), ascending, below num_vectors.
    Gathering(const CodeBlocks& blocks, const std::int64_t* positions, std::size_t count);

    std::size_t count() const { return count_; }

    // Writes blocks (count / kBlockSize + 1, num_rows, kBlockSize), zero behind the last vector,
    // and positions (count), ascending. Throws Cancelled.
    void copy(int threads, Interrupt& interrupt, std::uint8_t* blocks,
              std::int64_t* positions) const;

private:
    struct Slice {  // of the blocks of a mask, or of the positions
        std::size_t first;
        std::size_t last;
        std::size_t place;  // of its first chosen vector among all
    };
    template <typename Writer>
    void copy_marked(const Slice& slice, std::int64_t* positions, Writer& writer) const;
    template <typename Writer>
    void copy_listed(const std::int64_t* positions, std::size_t count, Writer& writer) const;

    CodeBlocks blocks_;
    const std::int64_t* positions_ = nullptr;
    std::vector<std::uint64_t> words_;  // of a mask, (num_blocks, kBlockWords)
    std::vector<Slice> slices_;
    std::size_t count_ = 0;
};

}  // namespace wsdhq
