// The distortion under a metric.
#pragma once

#include "wsdhq/cpu.hpp"
#include "wsdhq/interrupt.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq {

// sum_n e_n^T S e_n of errors e (num_vectors, dim) with a symmetric metric S (dim, dim): S e in
// float, the rest in double, in an order that no number of threads changes. Throws Cancelled.
double sum_of_squares_under(VectorsView errors, const float* metric, int threads,
                            const kernels::KernelTable& kernels, Interrupt& interrupt);

}  // namespace wsdhq
