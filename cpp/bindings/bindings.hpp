// What the bindings share: strict array types, shape checks, the interrupt.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <initializer_list>
#include <string>

#include "wsdhq/interrupt.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq::bindings {

namespace py = pybind11;

// Arguments of these types are bound with .noconvert(): Python does any copying, visibly.
using FloatArray = py::array_t<float, py::array::c_style>;
using DoubleArray = py::array_t<double, py::array::c_style>;
using CodeArray = py::array_t<std::uint8_t, py::array::c_style>;
using IntArray = py::array_t<std::int64_t, py::array::c_style>;

// Throws ValueError naming the argument unless its shape is as given (-1: any length).
void check_shape(const py::array& array, const char* name,
                 std::initializer_list<py::ssize_t> expected);
void check_threads(int threads);
// Throws ValueError naming the first row with a code >= codebook_size. Releases the GIL: the codes
// may lie in a file that is read only now.
void check_codes(CodesView codes, std::size_t codebook_size);

VectorsView vectors_view(const FloatArray& array);
CodesView codes_view(const CodeArray& array);
CodebooksView codebooks_view(const FloatArray& array);

// Whether Python has a signal to handle, or `progress`, which is told the part that is done unless
// it is None, raises; the error is then set. Takes the GIL.
bool python_interrupted(const py::object& progress, double part_done);

// Runs `work(interrupt)` without the GIL; a Ctrl-C during it raises KeyboardInterrupt.
template <typename Work>
void run_released(Work&& work, const py::object& progress = py::none()) {
    const Interrupt* running = nullptr;
    Interrupt interrupt([&] { return python_interrupted(progress, running->part_done()); });
    running = &interrupt;
    try {
        py::gil_scoped_release released;
        work(interrupt);
    } catch (const Cancelled&) {
        throw py::error_already_set();
    }
}

void bind_icm(py::module_& module);
void bind_statistics(py::module_& module);
void bind_aqd(py::module_& module);

}  // namespace wsdhq::bindings
