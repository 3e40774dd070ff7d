#include "wsdhq/statistics.hpp"

#include <algorithm>
#include <vector>

#include "base/parallel.hpp"
#include "wsdhq/cpu.hpp"

namespace wsdhq {
namespace {

// Codes of one stretch, a codebook's one after the other.
constexpr std::size_t kTransposedBytes = 4 << 20;
// A row of counters is this much longer than a codebook, so that a column of them falls into
// different sets of the cache: it is read when the block is mirrored.
constexpr std::size_t kCounterPadding = 16;

// Vectors that are sorted by code at once, and the most and the fewest dimensions that one task
// sums: few calls, and values that stay near while every codebook adds them up.
constexpr std::size_t kSorted = 2048;
constexpr std::size_t kWidestBlock = 320;
constexpr std::size_t kNarrowestBlock = 64;
static_assert(kSorted < 65536, "rows are numbered in 16 bits");

struct Pair {
    std::size_t first, second;
};

std::vector<Pair> pairs_of(std::size_t num_codebooks) {
    std::vector<Pair> pairs;
    for (std::size_t first = 0; first < num_codebooks; ++first) {
        for (std::size_t second = first; second < num_codebooks; ++second) {
            pairs.push_back({first, second});
        }
    }
    return pairs;
}

// The blocks of the histogram that belong to one pair of codebooks, and to no other.
class PairBlocks {
public:
    PairBlocks(std::int64_t* histogram, std::size_t num_codebooks, std::size_t codebook_size,
               Pair pair)
        : num_codewords_(num_codebooks * codebook_size),
          codebook_size_(codebook_size),
          mirrored_(pair.first != pair.second),
          upper_(histogram + (pair.first * num_codewords_ + pair.second) * codebook_size),
          lower_(histogram + (pair.second * num_codewords_ + pair.first) * codebook_size) {}

    // Straight into the histogram: for fewer vectors than a block has counters.
    void count(const std::uint8_t* first, const std::uint8_t* second, std::size_t num_vectors) {
        for (std::size_t n = 0; n < num_vectors; ++n) {
            ++upper_[first[n] * num_codewords_ + second[n]];
            if (mirrored_) {
                ++lower_[second[n] * num_codewords_ + first[n]];
            }
        }
    }

    static std::size_t num_counters(std::size_t codebook_size) {
        return codebook_size * (codebook_size + kCounterPadding);
    }

    // By way of small counters (num_counters) that stay in the cache.
    void count(const std::uint8_t* first, const std::uint8_t* second, std::size_t num_vectors,
               std::uint32_t* counters) {
        const std::size_t stride = codebook_size_ + kCounterPadding;
        std::fill(counters, counters + num_counters(codebook_size_), 0u);
        for (std::size_t n = 0; n < num_vectors; ++n) {
            ++counters[first[n] * stride + second[n]];
        }
        for (std::size_t k = 0; k < codebook_size_; ++k) {
            for (std::size_t l = 0; l < codebook_size_; ++l) {
                upper_[k * num_codewords_ + l] += counters[k * stride + l];
            }
        }
        for (std::size_t l = 0; mirrored_ && l < codebook_size_; ++l) {
            for (std::size_t k = 0; k < codebook_size_; ++k) {
                lower_[l * num_codewords_ + k] += counters[k * stride + l];
            }
        }
    }

private:
    std::size_t num_codewords_;
    std::size_t codebook_size_;
    bool mirrored_;
    std::int64_t* upper_;
    std::int64_t* lower_;
};

// Vectors of a stretch in the order of their codes in one codebook, and in their own order within
// a codeword.
struct Buckets {
    explicit Buckets(std::size_t codebook_size) : rows(kSorted), ends(codebook_size) {}

    std::vector<std::uint16_t> rows;
    std::vector<std::uint16_t> ends;  // of each codeword, in rows

    void sort(CodesView codes, std::size_t codebook) {
        std::fill(ends.begin(), ends.end(), std::uint16_t{0});
        for (std::size_t n = 0; n < codes.num_vectors; ++n) {
            ++ends[codes.row(n)[codebook]];
        }
        std::uint16_t sum = 0;
        for (std::uint16_t& each : ends) {
            const std::uint16_t count = each;
            each = sum;
            sum = static_cast<std::uint16_t>(sum + count);
        }
        // Starts become ends as the rows are put down.
        for (std::size_t n = 0; n < codes.num_vectors; ++n) {
            rows[ends[codes.row(n)[codebook]]++] = static_cast<std::uint16_t>(n);
        }
    }
};

// As wide as leaves no thread without a block. Sums do not depend on it.
std::size_t block_width(std::size_t dim, std::size_t num_codebooks, std::size_t threads) {
    const std::size_t blocks = (threads + num_codebooks - 1) / num_codebooks;
    const std::size_t even = (dim + blocks - 1) / blocks;
    const std::size_t rounded = (even + kNarrowestBlock - 1) / kNarrowestBlock * kNarrowestBlock;
    return std::min(rounded, kWidestBlock);
}

}  // namespace

void add_to_histogram(CodesView codes, std::size_t codebook_size, int threads, Interrupt& interrupt,
                      std::int64_t* histogram) {
    const std::size_t num_codebooks = codes.num_codebooks;
    if (codes.num_vectors == 0 || num_codebooks == 0) {
        return;
    }
    const std::vector<Pair> pairs = pairs_of(num_codebooks);
    const std::size_t stretch =
        std::min(codes.num_vectors, std::max<std::size_t>(1, kTransposedBytes / num_codebooks));
    std::vector<std::uint8_t> transposed(stretch * num_codebooks);
    threads = useful_threads(threads, pairs.size(), codes.num_vectors * pairs.size());
    const std::size_t num_counters = PairBlocks::num_counters(codebook_size);
    std::vector<std::uint32_t> counters(static_cast<std::size_t>(threads) * num_counters);
    for (std::size_t begin = 0; begin < codes.num_vectors; begin += stretch) {
        const std::size_t count = std::min(stretch, codes.num_vectors - begin);
        for (std::size_t n = 0; n < count; ++n) {
            const std::uint8_t* code = codes.row(begin + n);
            for (std::size_t m = 0; m < num_codebooks; ++m) {
                transposed[m * stretch + n] = code[m];
            }
        }
        // Emptying the counters of a block into the histogram costs more than a count of this
        // many vectors there.
        const bool few = 4 * count < codebook_size * codebook_size;
        for_each_piece(threads, pairs.size(), [&](std::size_t task) {
            if (interrupt.requested(thread_number() == 0)) {
                return;
            }
            const Pair pair = pairs[task];
            PairBlocks blocks(histogram, num_codebooks, codebook_size, pair);
            const std::uint8_t* first = transposed.data() + pair.first * stretch;
            const std::uint8_t* second = transposed.data() + pair.second * stretch;
            if (few) {
                blocks.count(first, second, count);
            } else {
                const auto thread = static_cast<std::size_t>(thread_number());
                blocks.count(first, second, count, counters.data() + thread * num_counters);
            }
        });
        interrupt.throw_if_requested();
    }
}

void add_to_sums(VectorsView vectors, CodesView codes, std::size_t codebook_size, int threads,
                 const kernels::KernelTable& kernels, Interrupt& interrupt, double* sums) {
    const std::size_t dim = vectors.dim;
    const std::size_t num_codebooks = codes.num_codebooks;
    if (codes.num_vectors == 0 || num_codebooks == 0 || dim == 0) {
        return;
    }
    const std::size_t max_tasks = num_codebooks * ((dim + kNarrowestBlock - 1) / kNarrowestBlock);
    threads = useful_threads(threads, max_tasks, codes.num_vectors * num_codebooks * dim);
    const std::size_t block = block_width(dim, num_codebooks, static_cast<std::size_t>(threads));
    const std::size_t tasks = num_codebooks * ((dim + block - 1) / block);
    const auto add_rows = kernels.statistics.add_rows;
    std::vector<Buckets> buckets(num_codebooks, Buckets(codebook_size));
    std::vector<std::uint8_t> copied(std::min(kSorted, codes.num_vectors) * num_codebooks);
    for (std::size_t begin = 0; begin < codes.num_vectors; begin += kSorted) {
        const std::size_t count = std::min(kSorted, codes.num_vectors - begin);
        // Sorting reads a code twice, and the caller's may change in between.
        std::copy_n(codes.row(begin), count * num_codebooks, copied.data());
        const CodesView stretch{copied.data(), count, num_codebooks};
        for_each_contiguous(threads, num_codebooks,
                            [&](std::size_t m) { buckets[m].sort(stretch, m); });
        // Tasks beside each other share their block of the vectors.
        for_each_contiguous(threads, tasks, [&](std::size_t task) {
            const std::size_t m = task % num_codebooks;
            const std::size_t first = task / num_codebooks * block;
            const std::size_t width = std::min(block, dim - first);
            const Buckets& bucket = buckets[m];
            std::size_t row = 0;
            for (std::size_t k = 0; k < codebook_size; ++k) {
                const std::size_t num_rows = bucket.ends[k] - row;
                if (num_rows > 0) {
                    add_rows(vectors.row(begin) + first, dim, bucket.rows.data() + row, num_rows,
                             width, sums + (m * codebook_size + k) * dim + first);
                }
                row += num_rows;
            }
        });
        interrupt.throw_if_requested();
    }
}

}  // namespace wsdhq
