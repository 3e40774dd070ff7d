#include "search/scan.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "search/code_norms.hpp"

namespace wsdhq {
namespace {

using kernels::kBlockSize;
using kernels::kBlockWords;
using kernels::kMaxQueries;
using kernels::kTableSize;

// From this many vectors of a block on, scoring the whole block costs less.
constexpr std::size_t kManyScores = 96;
// A filter that lets through half of a block rests for some blocks.
constexpr std::size_t kUselessSurvivors = kBlockSize / 2;
constexpr std::uint8_t kRest = 15;

// Some vectors of a block, a bit each.
struct Selection {
    std::uint64_t words[kBlockWords];

    std::size_t count() const {
        std::size_t total = 0;
        for (const std::uint64_t word : words) {
            if (word != 0) {  // the baseline has no instruction to count bits with
                total += static_cast<std::size_t>(std::popcount(word));
            }
        }
        return total;
    }

    template <typename Visit>
    void for_each(Visit&& visit) const {
        for (std::size_t word = 0; word < kBlockWords; ++word) {
            if (words[word] == ~std::uint64_t{0}) {
                for (std::size_t bit = 0; bit < 64; ++bit) {
                    visit(word * 64 + bit);
                }
                continue;
            }
            for (std::uint64_t left = words[word]; left != 0; left &= left - 1) {
                visit(word * 64 + static_cast<std::size_t>(std::countr_zero(left)));
            }
        }
    }
};

// The vectors of block b that the database allows.
Selection allowed_of_block(const Database& database, std::size_t b,
                           const kernels::SearchKernels& kernels) {
    Selection selection{};
    const std::size_t first = b * kBlockSize;
    const std::size_t count = std::min(kBlockSize, database.blocks.num_vectors - first);
    if (database.mask != nullptr) {
        const std::uint8_t* mask = database.mask + first;
        kernels.pack_mask(mask, count / 64, selection.words);
        for (std::size_t n = count / 64 * 64; n < count; ++n) {
            selection.words[n / 64] |= std::uint64_t{mask[n] != 0} << (n % 64);
        }
        return selection;
    }
    for (std::size_t n = b == 0 ? database.first : 0; n < count;) {
        const std::size_t end = std::min(n / 64 * 64 + 64, count);
        selection.words[n / 64] = (~std::uint64_t{0} >> (64 - (end - n))) << (n % 64);
        n = end;
    }
    return selection;
}

// Norms of the vectors of one block, each computed when it is first wanted: whatever the number of
// queries, once.
class BlockNorms {
public:
    explicit BlockNorms(const ScanTask& task)
        : norms_of_codes_(task.codebooks, task.similarity, *task.kernels) {}

    void start(const std::uint8_t* codes) {
        codes_ = codes;
        known_ = {};
    }

    float at(std::size_t n) {
        const std::uint64_t bit = std::uint64_t{1} << (n % 64);
        if ((known_.words[n / 64] & bit) == 0) {
            known_.words[n / 64] |= bit;
            norms_[n] = norms_of_codes_.norm(codes_ + n, kBlockSize);
        }
        return norms_[n];
    }

private:
    CodeNorms norms_of_codes_;
    const std::uint8_t* codes_ = nullptr;
    Selection known_{};
    float norms_[kBlockSize];
};

template <typename Sink>
class Scan {
public:
    Scan(const ScanTask& task, Sink* sinks) : task_(task), sinks_(sinks), norms_(task) {
        const std::size_t num_rows = task.database->blocks.num_rows;
        filters_.reserve(task.num_queries);
        for (std::size_t q = 0; q < task.num_queries; ++q) {
            filters_.emplace_back(task.queries[q], task.similarity, task.codebooks.num_codebooks,
                                  task.database->norm_edges,
                                  task.losses + q * num_rows * kTableSize);
            follow_threshold(q, true);
        }
    }

    void run(Interrupt& interrupt, bool is_caller) {
        const Database& database = *task_.database;
        const std::size_t num_full = database.blocks.num_vectors / kBlockSize;
        Selection whole;
        std::fill(whole.words, whole.words + kBlockWords, ~std::uint64_t{0});
        // Asking the clock costs as much as filtering a block for one query.
        const std::size_t checked_every = 1024 / task_.num_queries;
        std::size_t blocks_done = 0;
        for (std::size_t b = task_.first_block; b < task_.last_block; ++b) {
            if ((unfiltered_ != 0 || blocks_done++ % checked_every == 0) &&
                interrupt.requested(is_caller)) {
                return;
            }
            const bool is_cut = b >= num_full || (b == 0 && database.first != 0);
            if (database.mask == nullptr && !is_cut) {
                block(b, whole, kBlockSize, interrupt, is_caller);
                continue;
            }
            const Selection selection = allowed_of_block(database, b, *task_.kernels);
            const std::size_t count = selection.count();
            if (count != 0) {
                block(b, selection, count, interrupt, is_caller);
            }
        }
    }

private:
    // How many allowed vectors make filtering a block worth it: it costs what scoring a few does.
    static constexpr std::size_t kFewAllowed = 8;

    void block(std::size_t b, const Selection& selection, std::size_t count, Interrupt& interrupt,
               bool is_caller) {
        const CodeBlocks& blocks = task_.database->blocks;
        const std::uint8_t* codes = blocks.block(b);
        norms_.start(codes);
        const std::uint64_t everyone = ~std::uint64_t{0} >> (kMaxQueries - task_.num_queries);
        std::uint64_t unfiltered = count <= kFewAllowed ? everyone : unfiltered_;
        std::uint64_t hit = unfiltered;
        if (unfiltered != everyone) {
            hit |= task_.kernels->filter_block(codes, blocks.num_rows, task_.losses, thresholds_,
                                               task_.num_queries, survivors_);
        }
        for (; hit != 0; hit &= hit - 1) {
            const auto q = static_cast<std::size_t>(std::countr_zero(hit));
            if ((unfiltered >> q & 1) != 0) {
                // Where many results are wanted, ordering those of one query takes long.
                if (interrupt.requested(is_caller)) {
                    return;
                }
                offer(q, b, codes, selection);
                if (rest_[q] != 0) {
                    --rest_[q];
                    if (rest_[q] == 0) {
                        unfiltered_ &= ~(std::uint64_t{1} << q);
                    }
                }
                follow_threshold(q, false);
                continue;
            }
            Selection survivors;
            for (std::size_t word = 0; word < kBlockWords; ++word) {
                survivors.words[word] = survivors_[q * kBlockWords + word] & selection.words[word];
            }
            const std::size_t num_survivors = offer(q, b, codes, survivors);
            follow_threshold(q, false);
            if (num_survivors >= kUselessSurvivors) {
                rest_[q] = kRest;
                unfiltered_ |= std::uint64_t{1} << q;
            }
        }
    }

    // Scores the selected vectors of block b and gives those to the sink that it wants. Returns
    // how many were selected.
    std::size_t offer(std::size_t q, std::size_t b, const std::uint8_t* codes,
                      const Selection& selection) {
        const PreparedQuery& query = task_.queries[q];
        Sink& sink = sinks_[q];
        const std::size_t num_codebooks = task_.codebooks.num_codebooks;
        const std::size_t count = selection.count();
        if (count >= kManyScores) {
            task_.kernels->look_up_scores(query.table, num_codebooks, codes, sums_);
        } else {
            selection.for_each([&](std::size_t n) {
                float sum = query.table[codes[n]];
                for (std::size_t m = 1; m < num_codebooks; ++m) {
                    sum += query.table[m * kTableSize + codes[m * kBlockSize + n]];
                }
                sums_[n] = sum;
            });
        }
        const auto first = static_cast<std::int64_t>(b * kBlockSize);
        if (task_.similarity == Similarity::inner_product) {
            selection.for_each([&](std::size_t n) {
                const float score = ordered(sums_[n]);
                if (sink.wants(score)) {
                    sink.take({score, first + static_cast<std::int64_t>(n)});
                }
            });
            return count;
        }
        const std::uint8_t* bins = codes + num_codebooks * kBlockSize;
        const float* edges = task_.database->norm_edges;
        selection.for_each([&](std::size_t n) {
            // The edge of the bin rules most out before their norms are computed.
            if (!sink.wants(query.max_score(task_.similarity, sums_[n], edges[bins[n]]))) {
                return;
            }
            const float score = query.score(task_.similarity, sums_[n], norms_.at(n));
            if (sink.wants(score)) {
                sink.take({score, first + static_cast<std::int64_t>(n)});
            }
        });
        return count;
    }

    // Brings the filter of a query to the threshold of its sink.
    void follow_threshold(std::size_t q, bool is_first) {
        const std::uint64_t bit = std::uint64_t{1} << q;
        if (is_first) {
            unfiltered_ |= bit;
            rest_[q] = 0;
            thresholds_[q] = 0;
            followed_[q] = -std::numeric_limits<float>::infinity();
        }
        if (!sinks_[q].has_threshold() || sinks_[q].threshold() == followed_[q]) {
            return;
        }
        followed_[q] = sinks_[q].threshold();
        filters_[q].raise(followed_[q], *task_.kernels);
        if (filters_[q].is_usable()) {
            thresholds_[q] = filters_[q].threshold();
            if (rest_[q] == 0) {
                unfiltered_ &= ~bit;
            }
        } else {
            unfiltered_ |= bit;
        }
    }

    ScanTask task_;
    Sink* sinks_;
    BlockNorms norms_;
    std::vector<ScoreFilter> filters_;
    std::uint64_t unfiltered_ = 0;  // queries whose filter cannot or should not be used
    std::uint8_t rest_[kMaxQueries];
    std::uint8_t thresholds_[kMaxQueries];
    float followed_[kMaxQueries];
    std::uint64_t survivors_[kMaxQueries * kBlockWords];
    float sums_[kBlockSize];
};

}  // namespace

template <typename Sink>
void scan(const ScanTask& task, Interrupt& interrupt, bool is_caller, Sink* sinks) {
    Scan<Sink>(task, sinks).run(interrupt, is_caller);
}

template void scan(const ScanTask&, Interrupt&, bool, TopSink*);
template void scan(const ScanTask&, Interrupt&, bool, RangeSink*);

}  // namespace wsdhq
