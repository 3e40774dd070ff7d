#include "wsdhq/code_blocks.hpp"

#include <algorithm>
#include <bit>

#include "parallel.hpp"

namespace wsdhq {
namespace {

using kernels::kBlockSize;
using kernels::kBlockWords;

// Pieces of work, each short beside the second in which a Ctrl-C is to be heard.
constexpr std::size_t kBlocksOfSlice = 256;

// Puts columns of blocks behind one another.
class Writer {
public:
    Writer(std::size_t num_rows, std::uint8_t* blocks, std::int64_t* positions, std::size_t place)
        : num_rows_(num_rows), blocks_(blocks), positions_(positions), place_(place) {}

    void add(const std::uint8_t* column, std::int64_t position) {
        std::uint8_t* to =
            blocks_ + place_ / kBlockSize * num_rows_ * kBlockSize + place_ % kBlockSize;
        for (std::size_t row = 0; row < num_rows_; ++row) {
            to[row * kBlockSize] = column[row * kBlockSize];
        }
        positions_[place_++] = position;
    }

private:
    std::size_t num_rows_;
    std::uint8_t* blocks_;
    std::int64_t* positions_;
    std::size_t place_;
};

}  // namespace

Gathering::Gathering(const CodeBlocks& blocks, const std::uint8_t* mask, int threads,
                     const kernels::KernelTable& kernels, Interrupt& interrupt)
    : blocks_(blocks) {
    const std::size_t num_blocks = blocks.num_blocks();
    words_.resize(num_blocks * kBlockWords);
    for (std::size_t first = 0; first < num_blocks; first += kBlocksOfSlice) {
        slices_.push_back({first, std::min(first + kBlocksOfSlice, num_blocks), 0});
    }
    const auto slices = static_cast<std::ptrdiff_t>(slices_.size());
    threads = useful_threads(threads, slices_.size(), blocks.num_vectors / 4);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::ptrdiff_t i = 0; i < slices; ++i) {
        if (interrupt.requested(thread_number() == 0)) {
            continue;
        }
        Slice& slice = slices_[static_cast<std::size_t>(i)];
        const std::size_t first = slice.first * kBlockSize;
        const std::size_t end = std::min(slice.last * kBlockSize, blocks.num_vectors);
        std::uint64_t* words = words_.data() + slice.first * kBlockWords;
        const std::size_t whole = (end - first) / 64;
        std::size_t count = kernels.search.pack_mask(mask + first, whole, words);
        for (std::size_t n = first + whole * 64; n < end; ++n) {
            const std::uint64_t bit = mask[n] != 0;
            words[whole] |= bit << (n % 64);
            count += bit;
        }
        slice.place = count;
    }
    interrupt.throw_if_requested();
    for (Slice& slice : slices_) {
        const std::size_t count = slice.place;
        slice.place = count_;
        count_ += count;
    }
}

Gathering::Gathering(const CodeBlocks& blocks, const std::int64_t* positions, std::size_t count)
    : blocks_(blocks), positions_(positions), count_(count) {
    constexpr std::size_t most = kBlocksOfSlice * kBlockSize;
    for (std::size_t first = 0; first < count; first += most) {
        slices_.push_back({first, std::min(first + most, count), first});
    }
}

void Gathering::copy(int threads, Interrupt& interrupt, std::uint8_t* blocks,
                     std::int64_t* positions) const {
    const std::size_t num_rows = blocks_.num_rows;
    std::uint8_t* last = blocks + count_ / kBlockSize * num_rows * kBlockSize;
    std::fill(last, last + num_rows * kBlockSize, std::uint8_t{0});
    const auto slices = static_cast<std::ptrdiff_t>(slices_.size());
    threads = useful_threads(threads, slices_.size(), count_ * (num_rows + 1));
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (std::ptrdiff_t i = 0; i < slices; ++i) {
        if (interrupt.requested(thread_number() == 0)) {
            continue;
        }
        const Slice& slice = slices_[static_cast<std::size_t>(i)];
        Writer writer(num_rows, blocks, positions, slice.place);
        if (positions_ != nullptr) {
            for (std::size_t p = slice.first; p < slice.last; ++p) {
                const auto position = static_cast<std::size_t>(positions_[p]);
                writer.add(blocks_.block(position / kBlockSize) + position % kBlockSize,
                           positions_[p]);
            }
            continue;
        }
        for (std::size_t b = slice.first; b < slice.last; ++b) {
            const std::uint8_t* codes = blocks_.block(b);
            for (std::size_t w = 0; w < kBlockWords; ++w) {
                for (std::uint64_t left = words_[b * kBlockWords + w]; left != 0;
                     left &= left - 1) {
                    const auto n = w * 64 + static_cast<std::size_t>(std::countr_zero(left));
                    writer.add(codes + n, static_cast<std::int64_t>(b * kBlockSize + n));
                }
            }
        }
    }
    interrupt.throw_if_requested();
}

}  // namespace wsdhq
