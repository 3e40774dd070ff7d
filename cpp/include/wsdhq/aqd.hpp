// Search by asymmetric distance (method section 5): a query makes a table of its inner products
// with every codeword; a database vector costs num_codebooks look-ups.
#pragma once

#include <cstdint>
#include <vector>

#include "wsdhq/cpu.hpp"
#include "wsdhq/interrupt.hpp"
#include "wsdhq/tables.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq {

enum class Similarity { inner_product, l2, cosine };

// x^[n] = sum_m C[m, codes[n, m]], summed in double, m ascending.
void decode(CodebooksView codebooks, CodesView codes, int threads, Interrupt& interrupt,
            float* reconstructions);

struct SearchResult {
    float score;
    std::int64_t position;
};

// The codes to search. `norms` comes from Searcher::norms, or is nullptr for inner products.
// With `positions` (ascending, each < codes.num_vectors) only those are searched.
struct Database {
    CodesView codes;
    const float* norms = nullptr;
    const std::int64_t* positions = nullptr;
    std::size_t num_positions = 0;

    std::size_t size() const { return positions == nullptr ? codes.num_vectors : num_positions; }
};

// Larger scores are better:
//   inner_product  q . x^
//   l2             -|q - x^|^2, from codebooks shifted to mean zero so that an offset of the data
//                  costs no precision
//   cosine         q . x^ / (|q| |x^|), 0 where a norm is zero
// Sums of table entries are in float, m ascending. Equal scores are ordered by position.
class Searcher {
public:
    Searcher(CodebooksView codebooks, Similarity similarity);

    // What a database vector adds to its table look-ups: |x^|^2 of the shifted codebooks (l2) or
    // |x^| (cosine). Writes (num_vectors); nothing for inner products.
    void norms(CodesView codes, int threads, Interrupt& interrupt, float* out) const;

    // The k best of each query, best first: scores (num_queries, k), positions (num_queries, k).
    // Missing places hold -infinity and -1. Throws Cancelled.
    void search(VectorsView queries, const Database& database, std::size_t k, int threads,
                const kernels::KernelTable& kernels, Interrupt& interrupt, float* scores,
                std::int64_t* positions) const;

    // All results with score >= threshold, best first, per query.
    std::vector<std::vector<SearchResult>> range_search(VectorsView queries,
                                                        const Database& database, float threshold,
                                                        int threads,
                                                        const kernels::KernelTable& kernels,
                                                        Interrupt& interrupt) const;

private:
    Similarity similarity_;
    CentredCodebooks centred_;
    std::vector<float> codewords_;  // as searched: centred for l2, as given otherwise
    std::vector<float> packed_;

    struct Query;
    struct Scratch;
    std::vector<Query> prepare(VectorsView queries, std::size_t first, std::size_t last,
                               const kernels::KernelTable& kernels,
                               std::vector<float>& tables) const;
    void score_block(const Query& query, const Database& database, std::size_t first,
                     std::size_t last, const kernels::KernelTable& kernels, Scratch& scratch) const;
    template <typename Visit>
    void scan(const Query& query, const Database& database, std::size_t first, std::size_t last,
              const kernels::KernelTable& kernels, Interrupt& interrupt, Scratch& scratch,
              Visit&& visit) const;
};

}  // namespace wsdhq
