#include "wsdhq/quadratic.hpp"

#include <algorithm>
#include <vector>

#include "base/double_lanes.hpp"
#include "base/parallel.hpp"
#include "wsdhq/tables.hpp"

namespace wsdhq {

double sum_of_squares_under(VectorsView errors, const float* metric, int threads,
                            const kernels::KernelTable& kernels, Interrupt& interrupt) {
    constexpr std::size_t batch_size = 8;  // rows that a product keeps in registers
    const std::size_t dim = errors.dim;
    const std::size_t batches = (errors.num_vectors + batch_size - 1) / batch_size;
    threads = useful_threads(threads, batches, errors.num_vectors * dim * dim / 8);
    const AlignedVector<float> packed = pack_columns({metric, dim, dim}, 1.0f);
    std::vector<float> products(static_cast<std::size_t>(threads) * batch_size * dim);
    std::vector<double> sums(batches);
    for_each_contiguous(threads, batches, [&](std::size_t batch) {
        const auto thread = static_cast<std::size_t>(thread_number());
        if (interrupt.requested(thread == 0)) {
            return;
        }
        const std::size_t first = batch * batch_size;
        const std::size_t count = std::min(batch_size, errors.num_vectors - first);
        float* weighted = products.data() + thread * batch_size * dim;
        kernels.products.inner_products(errors.row(first), count, dim, packed.data(), dim,
                                        weighted);
        sums[batch] = sum_in_lanes(errors.row(first), weighted, count * dim,
                                   [](auto e, auto w) { return e * w; });
    });
    interrupt.throw_if_requested();
    double total = 0.0;
    for (const double sum : sums) {
        total += sum;
    }
    return total;
}

}  // namespace wsdhq
