// What the bindings share: strict array types, shape checks, the interrupt.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "released_lock.hpp"
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
// Throws ValueError naming the argument unless its items lie at multiples of their size.
void check_aligned(const py::array& array, const char* name);
void check_threads(int threads);
// Throws ValueError naming the first row with a code >= codebook_size. Releases the lock: the codes
// may lie in a file that is read only now.
void check_codes(CodesView codes, std::size_t codebook_size);

// Codes as they were when they were checked, for work that uses them as indices: another thread may
// change the caller's array at any time, another process a file that it is mapped from. Where every
// byte is a code there is nothing to check, and nothing is copied.
class CheckedCodes {
public:
    // Throws as check_codes.
    CheckedCodes(const CodeArray& codes, std::size_t codebook_size);

    CodesView view() const { return view_; }

private:
    CodesView view_;
    std::vector<std::uint8_t> copy_;
};

// These check alignment, too.
VectorsView vectors_view(const FloatArray& array, const char* name = "vectors");
CodesView codes_view(const CodeArray& array);
CodebooksView codebooks_view(const FloatArray& array);

// Runs `work(interrupt)` without Python's lock; a Ctrl-C during it raises KeyboardInterrupt.
// `progress`, unless None, is told now and then the part that is done; what it raises ends the
// work.
template <typename Work>
void run_released(Work&& work, const py::object& progress = py::none()) {
    PyObject* told = progress.ptr();
    try {
        ReleasedLock lock;
        const Interrupt* running = nullptr;
        Interrupt interrupt([&] { return lock.is_interrupted(told, running->part_done()); });
        running = &interrupt;
        work(interrupt);
    } catch (const Cancelled&) {
        throw py::error_already_set();
    }
}

void bind_encoder(py::module_& module);
void bind_results(py::module_& module);
void bind_solve(py::module_& module);
void bind_statistics(py::module_& module);
void bind_code_blocks(py::module_& module);
void bind_searcher(py::module_& module);

}  // namespace wsdhq::bindings
