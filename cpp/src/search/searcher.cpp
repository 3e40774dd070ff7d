#include "wsdhq/searcher.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.hpp"
#include "search/code_norms.hpp"
#include "search/scan.hpp"
#include "search/score_filter.hpp"
#include "search/top_results.hpp"

namespace wsdhq {
namespace {

using kernels::kBlockSize;
using kernels::kMaxQueries;
using kernels::kTableSize;

// Working memory of a search: look-up tables, 8-bit tables, the results of shards, and copies to
// sort, each at most this.
constexpr std::size_t kMaxBytes = std::size_t{12} << 20;
// Blocks that a shard has at least.
constexpr std::size_t kMinBlocks = 16;

// The reconstruction of one code in double, m ascending.
void add_codewords(CodebooksView codebooks, const std::uint8_t* code, double* sum) {
    std::fill(sum, sum + codebooks.dim, 0.0);
    for (std::size_t m = 0; m < codebooks.num_codebooks; ++m) {
        const float* codeword = codebooks.codeword(m, code[m]);
        for (std::size_t d = 0; d < codebooks.dim; ++d) {
            sum[d] += codeword[d];
        }
    }
}

struct Extremes {
    float low;
    float high;
};

// Of `count` values, at least one. Lanes side by side, which the compiler puts into registers.
Extremes extremes(const float* values, std::size_t count) {
    constexpr std::size_t lanes = 16;
    float low[lanes];
    float high[lanes];
    std::fill(low, low + lanes, values[0]);
    std::fill(high, high + lanes, values[0]);
    std::size_t first = 0;
    for (; first + lanes <= count; first += lanes) {
        for (std::size_t i = 0; i < lanes; ++i) {
            const float value = values[first + i];
            low[i] = value < low[i] ? value : low[i];
            high[i] = value > high[i] ? value : high[i];
        }
    }
    for (; first < count; ++first) {
        low[0] = std::min(low[0], values[first]);
        high[0] = std::max(high[0], values[first]);
    }
    return {*std::min_element(low, low + lanes), *std::max_element(high, high + lanes)};
}

// Runs body(0 .. count - 1) on at most `threads` threads.
template <typename Body>
void for_each_task(int threads, std::size_t count, Body&& body) {
    threads = std::max(1, std::min(threads, static_cast<int>(std::min<std::size_t>(count, 1024))));
    for_each_piece(threads, count, body);
}

}  // namespace

void decode(CodebooksView codebooks, CodesView codes, int threads, Interrupt& interrupt,
            float* reconstructions) {
    const std::size_t dim = codebooks.dim;
    constexpr std::size_t block = 256;
    const std::size_t blocks = (codes.num_vectors + block - 1) / block;
    threads = useful_threads(threads, blocks, codes.num_vectors * codes.num_codebooks * dim);
    std::vector<double> scratch(static_cast<std::size_t>(threads) * dim);
    for_each_piece(threads, blocks, [&](std::size_t b) {
        if (interrupt.requested(thread_number() == 0)) {
            return;
        }
        double* sum = scratch.data() + static_cast<std::size_t>(thread_number()) * dim;
        for (std::size_t n = b * block; n < std::min((b + 1) * block, codes.num_vectors); ++n) {
            add_codewords(codebooks, codes.row(n), sum);
            for (std::size_t d = 0; d < dim; ++d) {
                reconstructions[n * dim + d] = static_cast<float>(sum[d]);
            }
        }
    });
    interrupt.throw_if_requested();
}

// The tables of some queries and what bounds them.
struct Searcher::PreparedQueries {
    std::vector<PreparedQuery> queries;
    std::vector<float> tables;   // (num_queries, num_codebooks, kTableSize)
    std::vector<float> largest;  // (num_queries, num_codebooks)
};

// How a search is cut up: into groups of queries, and where these are fewer than threads, into
// shards of the database as well. Groups are worked on wave by wave, to bound the memory.
struct Searcher::Plan {
    int threads;
    std::size_t group_size;
    std::size_t wave_size;  // queries, a multiple of group_size

    std::size_t shards(std::size_t num_queries, std::size_t num_blocks,
                       std::size_t bytes_per_query) const {
        const std::size_t groups = (num_queries + group_size - 1) / group_size;
        const auto wanted = (static_cast<std::size_t>(threads) + groups - 1) / groups;
        return std::max<std::size_t>(
            1, std::min({wanted, num_blocks / kMinBlocks,
                         kMaxBytes / std::max<std::size_t>(1, num_queries * bytes_per_query)}));
    }
};

Searcher::Searcher(CodebooksView codebooks, Similarity similarity)
    : similarity_(similarity), centred_(codebooks) {
    if (similarity == Similarity::l2) {
        codewords_ = centred_.values;
    } else {
        codewords_.assign(codebooks.data,
                          codebooks.data + codebooks.num_codewords() * codebooks.dim);
    }
    packed_ = pack_columns({codewords_.data(), codebooks.num_codewords(), codebooks.dim}, 1.0f);
}

void Searcher::norms(CodesView codes, int threads, const kernels::KernelTable& kernels,
                     Interrupt& interrupt, float* out) const {
    if (similarity_ == Similarity::inner_product) {
        return;
    }
    constexpr std::size_t batch_size = 256;
    const std::size_t batches = (codes.num_vectors + batch_size - 1) / batch_size;
    threads =
        useful_threads(threads, batches, codes.num_vectors * codes.num_codebooks * centred_.dim);
    for_each_task(threads, batches, [&](std::size_t batch) {
        if (interrupt.requested(thread_number() == 0)) {
            return;
        }
        CodeNorms norms(searched(), similarity_, kernels.search);
        const std::size_t first = batch * batch_size;
        const std::size_t last = std::min(first + batch_size, codes.num_vectors);
        for (std::size_t n = first; n < last; ++n) {
            out[n] = norms.norm(codes.row(n), 1);
        }
    });
    interrupt.throw_if_requested();
}

Searcher::Plan Searcher::plan(std::size_t num_queries, const Database& database,
                              int threads) const {
    const CodeBlocks& blocks = database.blocks;
    // Filtering a code costs a sixteenth of an operation, about.
    const int useful = useful_threads(
        threads, num_queries * std::max<std::size_t>(1, blocks.num_blocks() / kMinBlocks),
        num_queries * blocks.num_vectors * blocks.num_rows / 16);
    const auto count = static_cast<std::size_t>(useful);
    const std::size_t table_bytes = centred_.num_codebooks * kTableSize * sizeof(float);
    // Few queries share the reading of a block badly, many do not fit the caches.
    std::size_t group = std::clamp<std::size_t>((num_queries + count - 1) / count, 16, kMaxQueries);
    group = std::min(
        {group, kMaxBytes / (count * blocks.num_rows * kTableSize), kMaxBytes / table_bytes});
    group = std::clamp<std::size_t>(group, 1, num_queries);
    const std::size_t groups = std::clamp<std::size_t>(kMaxBytes / (group * table_bytes), 1, count);
    return {useful, group, group * groups};
}

void Searcher::prepare(VectorsView queries, std::size_t first, std::size_t last, int threads,
                       const kernels::KernelTable& kernels, PreparedQueries& prepared) const {
    constexpr std::size_t batch_size = 8;  // rows that a product keeps in registers
    const std::size_t dim = centred_.dim;
    const std::size_t num_codebooks = centred_.num_codebooks;
    const std::size_t codebook_size = centred_.codebook_size;
    const std::size_t num_codewords = num_codebooks * codebook_size;
    const std::size_t count = last - first;
    const std::size_t batches = (count + batch_size - 1) / batch_size;
    prepared.queries.assign(count, PreparedQuery{});
    prepared.tables.resize(count * num_codebooks * kTableSize);
    prepared.largest.resize(count * num_codebooks);
    threads = useful_threads(threads, batches, count * num_codewords * dim / 8);
    const auto workers = static_cast<std::size_t>(threads);
    std::vector<float> all_vectors(workers * batch_size * dim);
    std::vector<float> all_products(workers * batch_size * num_codewords);
    for_each_contiguous(threads, batches, [&](std::size_t batch) {
        const auto worker = static_cast<std::size_t>(thread_number());
        float* vectors = all_vectors.data() + worker * batch_size * dim;
        float* products = all_products.data() + worker * batch_size * num_codewords;
        const std::size_t begin = batch * batch_size;
        const std::size_t end = std::min(begin + batch_size, count);
        for (std::size_t n = begin; n < end; ++n) {
            float* vector = vectors + (n - begin) * dim;
            double square = 0.0;
            for (std::size_t d = 0; d < dim; ++d) {
                const double shift = similarity_ == Similarity::l2 ? centred_.shift[d] : 0.0;
                vector[d] = static_cast<float>(queries.row(first + n)[d] - shift);
                square += static_cast<double>(vector[d]) * vector[d];
            }
            prepared.queries[n].norm =
                static_cast<float>(similarity_ == Similarity::cosine ? std::sqrt(square) : square);
        }
        kernels.products.inner_products(vectors, end - begin, dim, packed_.data(), num_codewords,
                                        products);
        for (std::size_t n = begin; n < end; ++n) {
            PreparedQuery& query = prepared.queries[n];
            float* table = prepared.tables.data() + n * num_codebooks * kTableSize;
            float* largest = prepared.largest.data() + n * num_codebooks;
            query.table = table;
            query.largest = largest;
            for (std::size_t m = 0; m < num_codebooks; ++m, table += kTableSize) {
                const float* row = products + (n - begin) * num_codewords + m * codebook_size;
                std::copy(row, row + codebook_size, table);
                std::fill(table + codebook_size, table + kTableSize, 0.0f);
                const auto [low, high] = extremes(row, codebook_size);
                largest[m] = high;
                query.sum_of_largest += high;
                query.magnitude += std::max(std::abs(double{low}), std::abs(double{high}));
            }
        }
    });
}

// Scans for all queries of a wave: sinks (shards, number of prepared queries).
template <typename Sink>
void Searcher::run(const Plan& plan, const Database& database, const PreparedQueries& prepared,
                   std::size_t shards, const kernels::KernelTable& kernels, Interrupt& interrupt,
                   std::vector<std::uint8_t>& losses, Sink* sinks) const {
    const std::size_t num_blocks = database.blocks.num_blocks();
    const std::size_t count = prepared.queries.size();
    const std::size_t groups = (count + plan.group_size - 1) / plan.group_size;
    const std::size_t losses_size = plan.group_size * database.blocks.num_rows * kTableSize;
    losses.resize(losses_size * static_cast<std::size_t>(plan.threads));
    for_each_task(plan.threads, groups * shards, [&](std::size_t id) {
        const std::size_t shard = id % shards;
        const std::size_t begin = id / shards * plan.group_size;
        const std::size_t end = std::min(begin + plan.group_size, count);
        const auto worker = static_cast<std::size_t>(thread_number());
        const ScanTask task{searched(),
                            similarity_,
                            &database,
                            num_blocks * shard / shards,
                            num_blocks * (shard + 1) / shards,
                            prepared.queries.data() + begin,
                            end - begin,
                            losses.data() + worker * losses_size,
                            &kernels.search};
        scan(task, interrupt, worker == 0, sinks + shard * count + begin);
    });
    interrupt.throw_if_requested();
}

void Searcher::search(VectorsView queries, const Database& database, std::size_t k, int threads,
                      const kernels::KernelTable& kernels, Interrupt& interrupt, float* scores,
                      std::int64_t* positions) const {
    for (std::size_t i = 0, count = queries.num_vectors * k; i < count;) {
        constexpr std::size_t per_poll = 1 << 22;
        interrupt.throw_if_requested();
        for (const std::size_t end = std::min(i + per_poll, count); i < end; ++i) {
            scores[i] = -std::numeric_limits<float>::infinity();
            positions[i] = -1;
        }
    }
    const std::size_t kept = std::min(k, database.blocks.num_vectors - database.first);
    if (kept == 0 || queries.num_vectors == 0) {
        return;
    }
    constexpr std::size_t result_size = sizeof(float) + sizeof(std::int64_t);
    const std::size_t num_blocks = database.blocks.num_blocks();
    const Plan plan = this->plan(queries.num_vectors, database, threads);
    PreparedQueries prepared;
    std::vector<std::uint8_t> losses;
    std::vector<float> more_scores;
    std::vector<std::int64_t> more_positions;
    for (std::size_t first = 0; first < queries.num_vectors; first += plan.wave_size) {
        const std::size_t last = std::min(first + plan.wave_size, queries.num_vectors);
        const std::size_t count = last - first;
        prepare(queries, first, last, plan.threads, kernels, prepared);
        const std::size_t shards = plan.shards(count, num_blocks, kept * result_size);
        // The first shard's results are kept where the answer goes, the others' beside it.
        more_scores.resize((shards - 1) * count * kept);
        more_positions.resize((shards - 1) * count * kept);
        std::vector<TopSink> sinks;
        sinks.reserve(shards * count);
        for (std::size_t shard = 0; shard < shards; ++shard) {
            for (std::size_t q = 0; q < count; ++q) {
                const std::size_t place = ((shard - 1) * count + q) * kept;
                const ResultArrays results =
                    shard == 0
                        ? ResultArrays{scores + (first + q) * k, positions + (first + q) * k}
                        : ResultArrays{more_scores.data() + place, more_positions.data() + place};
                sinks.push_back({TopResults(results, kept, interrupt)});
            }
        }
        run(plan, database, prepared, shards, kernels, interrupt, losses, sinks.data());
        for_each_task(plan.threads, count, [&](std::size_t q) {
            if (interrupt.requested(thread_number() == 0)) {
                return;
            }
            TopResults& best = sinks[q].results;
            for (std::size_t shard = 1; shard < shards; ++shard) {
                best.merge(sinks[shard * count + q].results);
            }
            best.sort();
        });
        interrupt.throw_if_requested();
    }
}

std::vector<std::vector<SearchResult>> Searcher::range_search(VectorsView queries,
                                                              const Database& database,
                                                              float threshold, int threads,
                                                              const kernels::KernelTable& kernels,
                                                              Interrupt& interrupt) const {
    std::vector<std::vector<SearchResult>> results(queries.num_vectors);
    const std::size_t num_blocks = database.blocks.num_blocks();
    if (num_blocks == 0 || queries.num_vectors == 0) {
        return results;
    }
    const Plan plan = this->plan(queries.num_vectors, database, threads);
    PreparedQueries prepared;
    std::vector<std::uint8_t> losses;
    for (std::size_t first = 0; first < queries.num_vectors; first += plan.wave_size) {
        const std::size_t last = std::min(first + plan.wave_size, queries.num_vectors);
        const std::size_t count = last - first;
        prepare(queries, first, last, plan.threads, kernels, prepared);
        const std::size_t shards = plan.shards(count, num_blocks, 0);
        std::vector<RangeSink> sinks(shards * count, RangeSink{threshold});
        run(plan, database, prepared, shards, kernels, interrupt, losses, sinks.data());
        for_each_task(plan.threads, count, [&](std::size_t q) {
            if (interrupt.requested(thread_number() == 0)) {
                return;
            }
            std::vector<SearchResult>& found = results[first + q];
            found = std::move(sinks[q].results);
            for (std::size_t shard = 1; shard < shards; ++shard) {
                std::vector<SearchResult>& more = sinks[shard * count + q].results;
                found.insert(found.end(), more.begin(), more.end());
                std::vector<SearchResult>().swap(more);
            }
            sort_results(ResultList{found.data()}, found.size(), interrupt, thread_number() == 0);
        });
        interrupt.throw_if_requested();
    }
    return results;
}

}  // namespace wsdhq
