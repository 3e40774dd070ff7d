#include <pybind11/stl.h>

#include <optional>

#include "bindings.hpp"
#include "wsdhq/cholesky.hpp"
#include "wsdhq/quadratic.hpp"

namespace wsdhq::bindings {
namespace {

template <typename Number>
std::optional<DoubleArray> solve_ridge(const py::array_t<Number, py::array::c_style>& gram,
                                       const DoubleArray& right, double ridge, int threads) {
    check_shape(right, "right", {-1, -1});
    check_shape(gram, "gram", {right.shape(0), right.shape(0)});
    check_aligned(gram, "gram");
    check_aligned(right, "right");
    check_threads(threads);
    DoubleArray out({right.shape(0), right.shape(1)});
    const auto size = static_cast<std::size_t>(right.shape(0));
    const auto dim = static_cast<std::size_t>(right.shape(1));
    const Number* matrix = gram.data();
    const double* sides = right.data();
    double* data = out.mutable_data();
    const auto& kernels = active_kernels();
    bool solved = false;
    run_released([&](Interrupt& interrupt) {
        Cholesky factors(matrix, size, ridge, sides, dim, threads, kernels, interrupt);
        solved = factors.is_positive_definite();
        if (solved) {
            factors.solve(threads, interrupt, data);
        }
    });
    return solved ? std::optional<DoubleArray>(out) : std::nullopt;
}

std::optional<double> indefinite_quotient(const DoubleArray& matrix, double ridge, int threads) {
    check_shape(matrix, "matrix", {-1, -1});
    check_shape(matrix, "matrix", {matrix.shape(0), matrix.shape(0)});
    check_aligned(matrix, "matrix");
    check_threads(threads);
    const auto size = static_cast<std::size_t>(matrix.shape(0));
    const double* data = matrix.data();
    const auto& kernels = active_kernels();
    std::optional<double> quotient;
    run_released([&](Interrupt& interrupt) {
        const Cholesky factors(data, size, ridge, nullptr, 0, threads, kernels, interrupt);
        if (!factors.is_positive_definite()) {
            quotient = factors.quotient();
        }
    });
    return quotient;
}

double weighted_sum_of_squares(const FloatArray& errors, const FloatArray& metric, int threads) {
    check_shape(errors, "errors", {-1, -1});
    check_shape(metric, "metric", {errors.shape(1), errors.shape(1)});
    check_aligned(metric, "metric");
    check_threads(threads);
    const VectorsView view = vectors_view(errors, "errors");
    const float* data = metric.data();
    const auto& kernels = active_kernels();
    double sum = 0.0;
    run_released([&](Interrupt& interrupt) {
        sum = sum_of_squares_under(view, data, threads, kernels, interrupt);
    });
    return sum;
}

}  // namespace

void bind_solve(py::module_& module) {
    module.def("solve_ridge", &solve_ridge<std::int64_t>, py::arg("gram").noconvert(),
               py::arg("right").noconvert(), py::arg("ridge"), py::arg("threads"));
    module.def("indefinite_quotient", &indefinite_quotient, py::arg("matrix").noconvert(),
               py::arg("ridge"), py::arg("threads"));
    module.def("weighted_sum_of_squares", &weighted_sum_of_squares, py::arg("errors").noconvert(),
               py::arg("metric").noconvert(), py::arg("threads"));
}

}  // namespace wsdhq::bindings
