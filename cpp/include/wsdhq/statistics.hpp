// The sums that a codebook update needs (method section 4): B^T B as integer histograms and
// B^T R as row sums. Both are sums over vectors; both grow in the order of the vectors, whatever
// the number of threads.
//
// Codes are read once, into memory of our own: where every byte is a code, an array that another
// thread changes meanwhile is counted as it is found.
#pragma once

#include <cstdint>

#include "wsdhq/cpu.hpp"
#include "wsdhq/interrupt.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq {

// Adds to histogram (M K, M K): how many vectors carry codeword (m, k) and codeword (m', k').
void add_to_histogram(CodesView codes, std::size_t codebook_size, int threads, Interrupt& interrupt,
                      std::int64_t* histogram);

// Adds to sums (M, K, D): the sum, in double, of the vectors that carry codeword (m, k).
void add_to_sums(VectorsView vectors, CodesView codes, std::size_t codebook_size, int threads,
                 const kernels::KernelTable& kernels, Interrupt& interrupt, double* sums);

}  // namespace wsdhq
