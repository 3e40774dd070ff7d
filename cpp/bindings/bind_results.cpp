#include <algorithm>
#include <limits>

#include "bindings.hpp"
#include "wsdhq/results.hpp"

namespace wsdhq::bindings {
namespace {

void check_results(const FloatArray& scores, const IntArray& positions, const char* name) {
    if (scores.ndim() != positions.ndim() ||
        !std::equal(scores.shape(), scores.shape() + scores.ndim(), positions.shape())) {
        throw py::value_error(std::string(name) + ": expected as many scores as positions");
    }
    check_aligned(scores, name);
    check_aligned(positions, name);
}

// Of results (num_queries, k) of two parts of a database, -1 standing where there is none, the k
// best.
py::tuple merge_best(const FloatArray& scores, const IntArray& positions,
                     const FloatArray& more_scores, const IntArray& more_positions) {
    check_shape(scores, "scores", {-1, -1});
    check_shape(more_scores, "more_scores", {scores.shape(0), scores.shape(1)});
    check_results(scores, positions, "positions");
    check_results(more_scores, more_positions, "more_positions");
    const auto num_queries = static_cast<std::size_t>(scores.shape(0));
    const auto k = static_cast<std::size_t>(scores.shape(1));
    FloatArray out({scores.shape(0), scores.shape(1)});
    IntArray found({scores.shape(0), scores.shape(1)});
    const auto row = [k](const FloatArray& of, const IntArray& at, std::size_t q) {
        const std::int64_t* first = at.data() + q * k;
        const auto is_there = [](std::int64_t position) { return position >= 0; };
        const std::int64_t* end = std::partition_point(first, first + k, is_there);
        return ResultsView{of.data() + q * k, first, static_cast<std::size_t>(end - first)};
    };
    float* score = out.mutable_data();
    std::int64_t* position = found.mutable_data();
    run_released([&](Interrupt& interrupt) {
        for (std::size_t q = 0; q < num_queries; ++q, score += k, position += k) {
            interrupt.throw_if_requested();
            const std::size_t count =
                merge_results(row(scores, positions, q), row(more_scores, more_positions, q), k,
                              interrupt, score, position);
            std::fill(score + count, score + k, -std::numeric_limits<float>::infinity());
            std::fill(position + count, position + k, std::int64_t{-1});
        }
    });
    return py::make_tuple(out, found);
}

void check_limits(const IntArray& limits, const FloatArray& scores, const char* name) {
    check_shape(limits, name, {-1});
    check_aligned(limits, name);
    const std::int64_t* data = limits.data();
    const py::ssize_t size = limits.size();
    if (size == 0 || data[0] != 0 || data[size - 1] != scores.size() ||
        !std::is_sorted(data, data + size)) {
        throw py::value_error(std::string(name) +
                              ": expected ascending numbers from 0 to that of the results");
    }
}

// All results of two parts of a database: of query q, those from limits[q] to limits[q + 1] - 1.
py::tuple merge_all(const IntArray& limits, const FloatArray& scores, const IntArray& positions,
                    const IntArray& more_limits, const FloatArray& more_scores,
                    const IntArray& more_positions) {
    check_shape(scores, "scores", {-1});
    check_shape(more_scores, "more_scores", {-1});
    check_results(scores, positions, "positions");
    check_results(more_scores, more_positions, "more_positions");
    check_limits(limits, scores, "limits");
    check_limits(more_limits, more_scores, "more_limits");
    check_shape(more_limits, "more_limits", {limits.size()});
    IntArray ends(limits.size());
    FloatArray out(scores.size() + more_scores.size());
    IntArray found(positions.size() + more_positions.size());
    const auto row = [](const IntArray& at, const FloatArray& of, const IntArray& whose,
                        py::ssize_t q) {
        const std::int64_t first = at.data()[q];
        return ResultsView{of.data() + first, whose.data() + first,
                           static_cast<std::size_t>(at.data()[q + 1] - first)};
    };
    std::int64_t* end = ends.mutable_data();
    float* score = out.mutable_data();
    std::int64_t* position = found.mutable_data();
    const py::ssize_t num_queries = limits.size() - 1;
    run_released([&](Interrupt& interrupt) {
        *end = 0;
        for (py::ssize_t q = 0; q < num_queries; ++q, ++end) {
            interrupt.throw_if_requested();
            const ResultsView first = row(limits, scores, positions, q);
            const ResultsView second = row(more_limits, more_scores, more_positions, q);
            const std::size_t all = first.count + second.count;
            merge_results(first, second, all, interrupt, score + *end, position + *end);
            end[1] = *end + static_cast<std::int64_t>(all);
        }
    });
    return py::make_tuple(ends, out, found);
}

}  // namespace

void bind_results(py::module_& module) {
    module.def("merge_best", &merge_best, py::arg("scores").noconvert(),
               py::arg("positions").noconvert(), py::arg("more_scores").noconvert(),
               py::arg("more_positions").noconvert());
    module.def("merge_all", &merge_all, py::arg("limits").noconvert(),
               py::arg("scores").noconvert(), py::arg("positions").noconvert(),
               py::arg("more_limits").noconvert(), py::arg("more_scores").noconvert(),
               py::arg("more_positions").noconvert());
}

}  // namespace wsdhq::bindings
