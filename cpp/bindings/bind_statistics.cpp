#include <algorithm>
#include <cmath>

#include "bindings.hpp"
#include "wsdhq/cpu.hpp"
#include "wsdhq/statistics.hpp"

namespace wsdhq::bindings {
namespace {

// Adds codes to histogram (M, K, M, K) in place. Not `interruptible`, all of them or, where an
// argument is wrong, none.
void update_histogram(const CodeArray& codes, IntArray& histogram, int threads,
                      bool interruptible) {
    check_shape(histogram, "histogram", {-1, -1, -1, -1});
    const py::ssize_t num_codebooks = histogram.shape(0);
    const py::ssize_t codebook_size = histogram.shape(1);
    check_shape(histogram, "histogram",
                {num_codebooks, codebook_size, num_codebooks, codebook_size});
    check_shape(codes, "codes", {-1, num_codebooks});
    check_threads(threads);
    check_aligned(histogram, "histogram");
    const auto size = static_cast<std::size_t>(codebook_size);
    const CheckedCodes checked(codes, size);
    std::int64_t* data = histogram.mutable_data();
    run_released([&](Interrupt& interrupt) {
        Interrupt never;
        add_to_histogram(checked.view(), size, threads, interruptible ? interrupt : never, data);
    });
}

// Adds vectors to sums (M, K, D) in place.
void update_sums(const FloatArray& vectors, const CodeArray& codes, DoubleArray& sums,
                 int threads) {
    check_shape(sums, "sums", {-1, -1, -1});
    check_shape(vectors, "vectors", {-1, sums.shape(2)});
    check_shape(codes, "codes", {vectors.shape(0), sums.shape(0)});
    check_threads(threads);
    check_aligned(sums, "sums");
    const auto size = static_cast<std::size_t>(sums.shape(1));
    const CheckedCodes checked(codes, size);
    const VectorsView vector_view = vectors_view(vectors);
    double* data = sums.mutable_data();
    const auto& kernels = active_kernels();
    run_released([&](Interrupt& interrupt) {
        add_to_sums(vector_view, checked.view(), size, threads, kernels, interrupt, data);
    });
}

// Whether every value is a number from -bound to bound, in one pass.
bool all_within(const FloatArray& values, float bound) {
    const float* data = values.data();
    const auto count = static_cast<std::size_t>(values.size());
    check_aligned(values, "values");
    unsigned outside = 0;
    run_released([&](Interrupt& interrupt) {
        constexpr std::size_t per_poll = 1 << 20;
        for (std::size_t i = 0; i < count && outside == 0;) {
            interrupt.throw_if_requested();
            // What is no number compares as false.
            for (const std::size_t end = std::min(i + per_poll, count); i < end; ++i) {
                outside |= static_cast<unsigned>(!(std::abs(data[i]) <= bound));
            }
        }
    });
    return outside == 0;
}

}  // namespace

void bind_statistics(py::module_& module) {
    module.def("all_within", &all_within, py::arg("values").noconvert(), py::arg("bound"));
    module.def("update_histogram", &update_histogram, py::arg("codes").noconvert(),
               py::arg("histogram").noconvert(), py::arg("threads"), py::arg("interruptible"));
    module.def("update_sums", &update_sums, py::arg("vectors").noconvert(),
               py::arg("codes").noconvert(), py::arg("sums").noconvert(), py::arg("threads"));
}

}  // namespace wsdhq::bindings
