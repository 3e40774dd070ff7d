// Search by asymmetric distance (method section 5): a query makes a table of its inner products
// with every codeword; a database vector costs num_codebooks look-ups.
#pragma once

#include <cstdint>
#include <vector>

#include "wsdhq/code_blocks.hpp"
#include "wsdhq/cpu.hpp"
#include "wsdhq/interrupt.hpp"
#include "wsdhq/results.hpp"
#include "wsdhq/tables.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq {

enum class Similarity { inner_product, l2, cosine };

// x^[n] = sum_m C[m, codes[n, m]], summed in double, m ascending.
void decode(CodebooksView codebooks, CodesView codes, int threads, Interrupt& interrupt,
            float* reconstructions);

// What to search: everything but the vectors before `first`, or the positions that `mask` marks.
struct Database {
    CodeBlocks blocks;
    // (kernels::kTableSize), ascending: a vector of bin b has a norm of at least norm_edges[b].
    // Unused for inner products.
    const float* norm_edges = nullptr;
    std::size_t first = 0;               // below kernels::kBlockSize; 0 with a mask
    const std::uint8_t* mask = nullptr;  // (num_vectors), not 0 where allowed
};

// Larger scores are better:
//   inner_product  q . x^
//   l2             -|q - x^|^2, from codebooks shifted to mean zero so that an offset of the data
//                  costs no precision
//   cosine         q . x^ / (|q| |x^|), 0 where a norm is zero
// Sums of table entries are in float, m ascending; |x^| is from sums in double, rounded to float.
// Equal scores are ordered by position. Results are those of scoring every vector and sorting, at
// every level and number of threads; score_filter.hpp says why few vectors need to be scored.
class Searcher {
public:
    Searcher(CodebooksView codebooks, Similarity similarity);

    // Rows of a block: a code per codebook, and the bin of the norm unless it plays no part.
    std::size_t num_rows() const {
        return centred_.num_codebooks + (similarity_ == Similarity::inner_product ? 0 : 1);
    }

    // What a database vector adds to its table look-ups: |x^|^2 of the shifted codebooks (l2) or
    // |x^| (cosine). Writes (num_vectors); nothing for inner products.
    void norms(CodesView codes, int threads, const kernels::KernelTable& kernels,
               Interrupt& interrupt, float* out) const;

    // The k best of each query, best first: scores (num_queries, k), positions (num_queries, k).
    // Missing places hold -infinity and -1. Working memory stays below 64 MiB. Throws Cancelled.
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
    AlignedVector<float> packed_;

    CodebooksView searched() const {
        return {codewords_.data(), centred_.num_codebooks, centred_.codebook_size, centred_.dim};
    }
    struct Plan;
    struct PreparedQueries;
    Plan plan(std::size_t num_queries, const Database& database, int threads) const;
    void prepare(VectorsView queries, std::size_t first, std::size_t last, int threads,
                 const kernels::KernelTable& kernels, PreparedQueries& prepared) const;
    template <typename Sink>
    void run(const Plan& plan, const Database& database, const PreparedQueries& prepared,
             std::size_t shards, const kernels::KernelTable& kernels, Interrupt& interrupt,
             std::vector<std::uint8_t>& losses, Sink* sinks) const;
};

}  // namespace wsdhq
