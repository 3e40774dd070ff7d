#include "wsdhq/code_blocks.hpp"

#include <algorithm>
#include <bit>

#include "base/parallel.hpp"

namespace wsdhq {
namespace {

using kernels::kBlockSize;
using kernels::kBlockWords;

// Pieces of work, each short beside the second in which a Ctrl-C is to be heard.
constexpr std::size_t kBlocksOfSlice = 256;

// Positions of so many blocks are listed at a time.
constexpr std::size_t kBlocksAtOnce = 32;
// With so many chosen per block on average, reading all of it costs less than parts of it.
constexpr std::size_t kManyOfBlock = 3;

// Reads a byte of every line. Places that are chosen here and there cannot be foreseen, and each
// would be waited for; lines in order are fetched side by side.
std::uint8_t touch(const std::uint8_t* bytes, std::size_t count) {
    std::uint8_t sum = 0;
    for (std::size_t i = 0; i < count; i += 64) {
        sum = static_cast<std::uint8_t>(sum + bytes[i]);
    }
    return sum;
}

// Positions that bits mark, the first bit standing for `first`; room for two more than those.
std::size_t positions_of(const std::uint64_t* words, std::size_t num_words, std::size_t first,
                         std::int64_t* positions) {
    std::size_t count = 0;
    for (std::size_t w = 0; w < num_words; ++w) {
        std::uint64_t left = words[w];
        const std::size_t place = first + w * 64;
        // Two are written whether they are there or not: a branch on that could not be foreseen.
        for (int i = 0; i < 2; ++i) {
            positions[count] =
                static_cast<std::int64_t>(place + static_cast<std::size_t>(std::countr_zero(left)));
            count += left != 0;
            left &= left - 1;
        }
        for (; left != 0; left &= left - 1) {
            positions[count++] =
                static_cast<std::int64_t>(place + static_cast<std::size_t>(std::countr_zero(left)));
        }
    }
    return count;
}

// Puts columns of blocks behind one another.
class Writer {
public:
    Writer(std::size_t num_rows, std::uint8_t* blocks, std::int64_t* positions, std::size_t place)
        : num_rows_(num_rows), blocks_(blocks), positions_(positions), place_(place) {}

    // Columns of one block, at `places`.
    void add(const std::uint8_t* block, std::size_t first_position, const std::uint16_t* places,
             std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            positions_[place_ + i] = static_cast<std::int64_t>(first_position + places[i]);
        }
        while (count > 0) {
            const std::size_t fit = std::min(count, kBlockSize - place_ % kBlockSize);
            std::uint8_t* to =
                blocks_ + place_ / kBlockSize * num_rows_ * kBlockSize + place_ % kBlockSize;
            const std::uint8_t* from = block;
            for (std::size_t row = num_rows_; row > 0; --row) {
                for (std::size_t i = 0; i < fit; ++i) {
                    to[i] = from[places[i]];
                }
                to += kBlockSize;
                from += kBlockSize;
            }
            places += fit;
            count -= fit;
            place_ += fit;
        }
    }

    volatile std::uint8_t touched = 0;  // so that reading is not left out

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
    threads = useful_threads(threads, slices_.size(), blocks.num_vectors / 4);
    for_each_contiguous(threads, slices_.size(), [&](std::size_t i) {
        if (interrupt.requested(thread_number() == 0)) {
            return;
        }
        Slice& slice = slices_[i];
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
    });
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
    threads = useful_threads(threads, slices_.size(), count_ * (num_rows + 1));
    constexpr std::size_t max_listed = kBlocksAtOnce * kBlockSize + 2;
    std::vector<std::int64_t> listed(
        positions_ == nullptr ? static_cast<std::size_t>(threads) * max_listed : 0);
    for_each_piece(threads, slices_.size(), [&](std::size_t i) {
        const auto worker = static_cast<std::size_t>(thread_number());
        if (interrupt.requested(worker == 0)) {
            return;
        }
        const Slice& slice = slices_[i];
        Writer writer(num_rows, blocks, positions, slice.place);
        if (positions_ == nullptr) {
            copy_marked(slice, listed.data() + worker * max_listed, writer);
        } else {
            copy_listed(positions_ + slice.first, slice.last - slice.first, writer);
        }
    });
    interrupt.throw_if_requested();
}

template <typename Writer>
void Gathering::copy_marked(const Slice& slice, std::int64_t* positions, Writer& writer) const {
    for (std::size_t b = slice.first; b < slice.last; b += kBlocksAtOnce) {
        const std::size_t blocks = std::min(kBlocksAtOnce, slice.last - b);
        const std::size_t count = positions_of(words_.data() + b * kBlockWords,
                                               blocks * kBlockWords, b * kBlockSize, positions);
        copy_listed(positions, count, writer);
    }
}

template <typename Writer>
void Gathering::copy_listed(const std::int64_t* positions, std::size_t count,
                            Writer& writer) const {
    const bool is_dense = count_ >= blocks_.num_blocks() * kManyOfBlock;
    const std::size_t block_bytes = blocks_.num_rows * kBlockSize;
    std::uint16_t places[kBlockSize];
    for (std::size_t p = 0; p < count;) {
        const std::size_t b = static_cast<std::size_t>(positions[p]) / kBlockSize;
        const std::size_t first = b * kBlockSize;
        if (is_dense) {
            writer.touched = touch(blocks_.block(b), block_bytes);
        }
        std::size_t of_block = 0;
        // No more than fit, even where the caller changed what was checked to ascend.
        for (; p < count && of_block < kBlockSize; ++p, ++of_block) {
            const std::size_t place = static_cast<std::size_t>(positions[p]) - first;
            if (place >= kBlockSize) {
                break;
            }
            places[of_block] = static_cast<std::uint16_t>(place);
        }
        writer.add(blocks_.block(b), first, places, of_block);
    }
}

}  // namespace wsdhq
