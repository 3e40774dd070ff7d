#include "wsdhq/aqd.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "parallel.hpp"
#include "top_results.hpp"

namespace wsdhq {
namespace {

constexpr std::size_t kQueryBlock = 64;       // queries whose tables are held at once
constexpr std::size_t kDatabaseBlock = 4096;  // codes scored at once

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

}  // namespace

void decode(CodebooksView codebooks, CodesView codes, int threads, Interrupt& interrupt,
            float* reconstructions) {
    const std::size_t dim = codebooks.dim;
    constexpr std::size_t block = 256;
    threads = useful_threads(threads, (codes.num_vectors + block - 1) / block,
                             codes.num_vectors * codes.num_codebooks * dim);
    std::vector<double> scratch(static_cast<std::size_t>(threads) * dim);
    const auto count = static_cast<std::ptrdiff_t>(codes.num_vectors);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        if (interrupt.requested(thread_number() == 0)) {
            continue;
        }
        const auto n = static_cast<std::size_t>(i);
        double* sum = scratch.data() + static_cast<std::size_t>(thread_number()) * dim;
        add_codewords(codebooks, codes.row(n), sum);
        for (std::size_t d = 0; d < dim; ++d) {
            reconstructions[n * dim + d] = static_cast<float>(sum[d]);
        }
    }
    interrupt.throw_if_requested();
}

struct Searcher::Query {
    const float* table;  // (num_codebooks, codebook_size)
    float norm;          // |q - shift|^2 for l2, |q| for cosine
};

struct Searcher::Scratch {
    explicit Scratch(std::size_t num_codebooks)
        : scores(kDatabaseBlock), codes(kDatabaseBlock * num_codebooks) {}
    std::vector<float> scores;
    std::vector<std::uint8_t> codes;  // gathered, when only some positions are searched
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

void Searcher::norms(CodesView codes, int threads, Interrupt& interrupt, float* out) const {
    if (similarity_ == Similarity::inner_product) {
        return;
    }
    const std::size_t dim = centred_.dim;
    const CodebooksView codebooks{codewords_.data(), centred_.num_codebooks, centred_.codebook_size,
                                  dim};
    threads = useful_threads(threads, codes.num_vectors / 256 + 1,
                             codes.num_vectors * codes.num_codebooks * dim);
    std::vector<double> scratch(static_cast<std::size_t>(threads) * dim);
    const auto count = static_cast<std::ptrdiff_t>(codes.num_vectors);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::ptrdiff_t i = 0; i < count; ++i) {
        if (interrupt.requested(thread_number() == 0)) {
            continue;
        }
        const auto n = static_cast<std::size_t>(i);
        double* sum = scratch.data() + static_cast<std::size_t>(thread_number()) * dim;
        add_codewords(codebooks, codes.row(n), sum);
        double square = 0.0;
        for (std::size_t d = 0; d < dim; ++d) {
            square += sum[d] * sum[d];
        }
        out[n] = static_cast<float>(similarity_ == Similarity::l2 ? square : std::sqrt(square));
    }
    interrupt.throw_if_requested();
}

std::vector<Searcher::Query> Searcher::prepare(VectorsView queries, std::size_t first,
                                               std::size_t last,
                                               const kernels::KernelTable& kernels,
                                               std::vector<float>& tables) const {
    const std::size_t dim = centred_.dim;
    const std::size_t num_codewords = centred_.num_codebooks * centred_.codebook_size;
    std::vector<float> vectors((last - first) * dim);
    std::vector<Query> prepared(last - first);
    tables.resize((last - first) * num_codewords);
    for (std::size_t n = first; n < last; ++n) {
        float* vector = vectors.data() + (n - first) * dim;
        double square = 0.0;
        for (std::size_t d = 0; d < dim; ++d) {
            const double shift = similarity_ == Similarity::l2 ? centred_.shift[d] : 0.0;
            vector[d] = static_cast<float>(queries.row(n)[d] - shift);
            square += static_cast<double>(vector[d]) * vector[d];
        }
        prepared[n - first] = {
            tables.data() + (n - first) * num_codewords,
            static_cast<float>(similarity_ == Similarity::cosine ? std::sqrt(square) : square)};
    }
    kernels.products.inner_products(vectors.data(), last - first, dim, packed_.data(),
                                    num_codewords, tables.data());
    return prepared;
}

void Searcher::score_block(const Query& query, const Database& database, std::size_t first,
                           std::size_t last, const kernels::KernelTable& kernels,
                           Scratch& scratch) const {
    const std::size_t num_codebooks = centred_.num_codebooks;
    const std::uint8_t* codes = database.codes.row(first);
    if (database.positions != nullptr) {
        for (std::size_t i = first; i < last; ++i) {
            const std::uint8_t* code =
                database.codes.row(static_cast<std::size_t>(database.positions[i]));
            std::copy(code, code + num_codebooks,
                      scratch.codes.data() + (i - first) * num_codebooks);
        }
        codes = scratch.codes.data();
    }
    float* scores = scratch.scores.data();
    kernels.search.look_up_scores(query.table, num_codebooks, centred_.codebook_size, codes,
                                  last - first, scores);
    if (similarity_ == Similarity::inner_product) {
        return;
    }
    for (std::size_t i = first; i < last; ++i) {
        const std::size_t position =
            database.positions == nullptr ? i : static_cast<std::size_t>(database.positions[i]);
        const float norm = database.norms[position];
        float& score = scores[i - first];
        if (similarity_ == Similarity::l2) {
            score = 0.0f - std::max((query.norm + norm) - 2.0f * score, 0.0f);
        } else {
            const float product = query.norm * norm;
            // Where codewords nearly cancel, rounding could carry a cosine past its bounds.
            score = product > 0.0f ? std::clamp(score / product, -1.0f, 1.0f) : 0.0f;
        }
    }
}

template <typename Visit>
void Searcher::scan(const Query& query, const Database& database, std::size_t first,
                    std::size_t last, const kernels::KernelTable& kernels, Interrupt& interrupt,
                    Scratch& scratch, Visit&& visit) const {
    for (std::size_t begin = first; begin < last; begin += kDatabaseBlock) {
        if (interrupt.requested(thread_number() == 0)) {
            return;
        }
        const std::size_t end = std::min(begin + kDatabaseBlock, last);
        score_block(query, database, begin, end, kernels, scratch);
        for (std::size_t i = begin; i < end; ++i) {
            visit(scratch.scores[i - begin], database.positions == nullptr
                                                 ? static_cast<std::int64_t>(i)
                                                 : database.positions[i]);
        }
    }
}

void Searcher::search(VectorsView queries, const Database& database, std::size_t k, int threads,
                      const kernels::KernelTable& kernels, Interrupt& interrupt, float* scores,
                      std::int64_t* positions) const {
    std::fill(scores, scores + queries.num_vectors * k, -std::numeric_limits<float>::infinity());
    std::fill(positions, positions + queries.num_vectors * k, std::int64_t{-1});
    const std::size_t size = database.size();
    if (k == 0 || size == 0) {
        return;
    }
    const std::size_t kept = std::min(k, size);
    std::vector<float> tables;
    std::vector<Scratch> scratch(static_cast<std::size_t>(std::max(threads, 1)),
                                 Scratch(centred_.num_codebooks));
    for (std::size_t first = 0; first < queries.num_vectors; first += kQueryBlock) {
        const std::size_t last = std::min(first + kQueryBlock, queries.num_vectors);
        const std::vector<Query> block = prepare(queries, first, last, kernels, tables);
        // Few queries: the database is cut into shards, so that every thread has work.
        const std::size_t wanted = static_cast<std::size_t>(std::max(threads, 1));
        const std::size_t most_shards = size / kDatabaseBlock + 1;
        const std::size_t shards =
            block.size() >= wanted
                ? 1
                : std::min(most_shards, (wanted + block.size() - 1) / block.size());
        const std::size_t tasks = block.size() * shards;
        std::vector<TopResults> best(tasks, TopResults(kept));
        const auto count = static_cast<std::ptrdiff_t>(tasks);
        const int useful =
            useful_threads(threads, tasks, block.size() * size * centred_.num_codebooks);
#pragma omp parallel for num_threads(useful) schedule(dynamic)
        for (std::ptrdiff_t task = 0; task < count; ++task) {
            const auto id = static_cast<std::size_t>(task);
            const std::size_t shard = id % shards;
            TopResults& top = best[id];
            scan(block[id / shards], database, size * shard / shards, size * (shard + 1) / shards,
                 kernels, interrupt, scratch[static_cast<std::size_t>(thread_number())],
                 [&](float score, std::int64_t position) { top.offer({score, position}); });
        }
        interrupt.throw_if_requested();
        for (std::size_t q = 0; q < block.size(); ++q) {
            TopResults& top = best[q * shards];
            for (std::size_t shard = 1; shard < shards; ++shard) {
                top.merge(best[q * shards + shard]);
            }
            const std::vector<SearchResult>& sorted = top.sorted();
            for (std::size_t i = 0; i < sorted.size(); ++i) {
                scores[(first + q) * k + i] = sorted[i].score;
                positions[(first + q) * k + i] = sorted[i].position;
            }
        }
    }
}

std::vector<std::vector<SearchResult>> Searcher::range_search(VectorsView queries,
                                                              const Database& database,
                                                              float threshold, int threads,
                                                              const kernels::KernelTable& kernels,
                                                              Interrupt& interrupt) const {
    std::vector<std::vector<SearchResult>> results(queries.num_vectors);
    std::vector<float> tables;
    std::vector<Scratch> scratch(static_cast<std::size_t>(std::max(threads, 1)),
                                 Scratch(centred_.num_codebooks));
    for (std::size_t first = 0; first < queries.num_vectors; first += kQueryBlock) {
        const std::size_t last = std::min(first + kQueryBlock, queries.num_vectors);
        const std::vector<Query> block = prepare(queries, first, last, kernels, tables);
        const auto count = static_cast<std::ptrdiff_t>(block.size());
        const int useful = useful_threads(threads, block.size(),
                                          block.size() * database.size() * centred_.num_codebooks);
        std::atomic<bool> out_of_memory{false};
#pragma omp parallel for num_threads(useful) schedule(dynamic)
        for (std::ptrdiff_t task = 0; task < count; ++task) {
            const auto q = static_cast<std::size_t>(task);
            std::vector<SearchResult>& found = results[first + q];
            try {
                scan(block[q], database, 0, database.size(), kernels, interrupt,
                     scratch[static_cast<std::size_t>(thread_number())],
                     [&](float score, std::int64_t position) {
                         if (score >= threshold) {
                             found.push_back({score, position});
                         }
                     });
                std::sort(found.begin(), found.end(), is_better);
            } catch (const std::bad_alloc&) {
                out_of_memory = true;
            }
        }
        if (out_of_memory) {
            throw std::bad_alloc();
        }
        interrupt.throw_if_requested();
    }
    return results;
}

}  // namespace wsdhq
