// The table of kernels: every inner loop that a faster instruction set may replace.
//
// Kernels come in groups, one header each; a level (scalar, AVX2, ...) has one file per group.
// The scalar level is the definition: another level must give the same bytes. Kernels take plain
// pointers, never allocate, throw or start threads, and read exactly the elements their shapes
// name.
#pragma once

#include "encode_kernels.hpp"
#include "product_kernels.hpp"
#include "search_kernels.hpp"
#include "solve_kernels.hpp"
#include "statistics_kernels.hpp"

namespace wsdhq::kernels {

struct KernelTable {
    const char* name;
    ProductKernels products;
    EncodeKernels encode;
    SearchKernels search;
    StatisticsKernels statistics;
    SolveKernels solve;
};

// The levels that this build holds and this processor runs, the fastest first, ended by nullptr.
const KernelTable* const* supported_kernels();

}  // namespace wsdhq::kernels
