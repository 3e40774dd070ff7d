// Sums of chosen vectors: one function per level.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wsdhq::kernels {

struct StatisticsKernels {
    // Adds chosen rows to one row of sums in double.
    //   vectors (more than any of rows, stride); stride is at least dim
    //   rows    (num_rows)
    //   sums    (dim), updated
    // sums[d] += vectors[rows[i] * stride + d], i ascending from 0: the order that makes every
    // level equal. A float is exact in double, so that only the additions round.
    void (*add_rows)(const float* vectors, std::size_t stride, const std::uint16_t* rows,
                     std::size_t num_rows, std::size_t dim, double* sums);
};

const StatisticsKernels& statistics_kernels_scalar();
const StatisticsKernels& statistics_kernels_avx2();
const StatisticsKernels& statistics_kernels_avx512();

}  // namespace wsdhq::kernels
