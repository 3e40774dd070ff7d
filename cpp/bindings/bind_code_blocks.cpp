#include <optional>

#include "py_code_blocks.hpp"

namespace wsdhq::bindings {

PyCodeBlocks::PyCodeBlocks(const CodeArray& full, const CodeArray& last, const FloatArray& edges,
                           py::ssize_t size)
    : full_(full), last_(last), edges_(edges), size_(size) {
    const auto block_size = static_cast<py::ssize_t>(kernels::kBlockSize);
    if (size < 0) {
        throw py::value_error("size: expected at least 0, got " + std::to_string(size));
    }
    check_shape(last, "last", {-1, block_size});
    check_shape(full, "full", {size / block_size, last.shape(0), block_size});
    check_shape(edges, "edges",
                {edges.size() == 0 ? 0 : static_cast<py::ssize_t>(kernels::kTableSize)});
    check_aligned(edges, "edges");
}

CodeBlocks PyCodeBlocks::view() const {
    return {full_.data(), last_.data(), static_cast<std::size_t>(size_),
            static_cast<std::size_t>(num_rows())};
}

namespace {

// Vectors that a mask marks or that positions name: counted, then copied into blocks of their own.
// Holds the arrays that it reads.
class PyGathering {
public:
    PyGathering(const PyCodeBlocks& blocks, const py::array& chosen, int threads)
        : blocks_(blocks), chosen_(chosen) {
        check_threads(threads);
        if (py::isinstance<MaskArray>(chosen)) {
            check_shape(chosen, "chosen", {blocks.size()});
            const auto* mask = static_cast<const std::uint8_t*>(chosen.data());
            const auto& kernels = active_kernels();
            run_released([&](Interrupt& interrupt) {
                gathering_.emplace(blocks_.view(), mask, threads, kernels, interrupt);
            });
        } else if (py::isinstance<IntArray>(chosen)) {
            check_shape(chosen, "chosen", {-1});
            check_aligned(chosen, "chosen");
            const auto* positions = static_cast<const std::int64_t*>(chosen.data());
            const auto count = static_cast<std::size_t>(chosen.shape(0));
            check_positions(positions, count, blocks.size());
            gathering_.emplace(blocks_.view(), positions, count);
        } else {
            throw py::type_error("chosen: expected a contiguous mask or int64 positions");
        }
    }

    std::size_t count() const { return gathering_->count(); }

    py::tuple copy(int threads) const {
        check_threads(threads);
        const auto count = static_cast<py::ssize_t>(gathering_->count());
        const auto block_size = static_cast<py::ssize_t>(kernels::kBlockSize);
        CodeArray copied({count / block_size + 1, blocks_.num_rows(), block_size});
        IntArray positions(count);
        std::uint8_t* data = copied.mutable_data();
        std::int64_t* position_data = positions.mutable_data();
        run_released([&](Interrupt& interrupt) {
            gathering_->copy(threads, interrupt, data, position_data);
        });
        return py::make_tuple(copied, positions);
    }

private:
    static void check_positions(const std::int64_t* positions, std::size_t count,
                                py::ssize_t size) {
        for (std::size_t i = 0; i < count; ++i) {
            if (positions[i] < 0 || positions[i] >= size ||
                (i > 0 && positions[i] <= positions[i - 1])) {
                throw py::value_error(
                    "chosen: expected ascending positions below the number of vectors");
            }
        }
    }

    PyCodeBlocks blocks_;
    py::array chosen_;
    std::optional<Gathering> gathering_;
};

}  // namespace

void bind_code_blocks(py::module_& module) {
    py::class_<PyCodeBlocks>(module, "CodeBlocks")
        .def(py::init<const CodeArray&, const CodeArray&, const FloatArray&, py::ssize_t>(),
             py::arg("full").noconvert(), py::arg("last").noconvert(), py::arg("edges").noconvert(),
             py::arg("size"));
    py::class_<PyGathering>(module, "Gathering")
        .def(py::init<const PyCodeBlocks&, const py::array&, int>(), py::arg("blocks"),
             py::arg("chosen"), py::arg("threads"))
        .def_property_readonly("count", &PyGathering::count)
        .def("copy", &PyGathering::copy, py::arg("threads"));
    module.attr("block_size") = kernels::kBlockSize;
    module.attr("table_size") = kernels::kTableSize;
}

}  // namespace wsdhq::bindings
