#include "released_lock.hpp"

#include <chrono>
#include <thread>

namespace wsdhq::bindings {
namespace {

// Calls a body that takes the lock or runs Python.
//
// While the interpreter ends, a thread that asks for the lock does not get it. Python up to 3.13
// unwinds its frames instead (pthread_exit), and that ends the process where it meets a frame which
// lets no exception pass: a destructor, or a region of OpenMP. The unwinding is caught here and
// never goes on: the thread waits for the end of the process, as later versions have it do. Between
// here and Python stand no objects, whose destructors would touch it without the lock.
template <typename Body>
void wait_if_python_ends(Body&& body) noexcept {
    try {
        body();
    } catch (...) {
        for (;;) {
            std::this_thread::sleep_for(std::chrono::hours(1));
        }
    }
}

bool wants_to_stop(PyObject* progress, double part_done) {
    if (PyErr_CheckSignals() != 0) {
        return true;
    }
    if (progress == Py_None) {
        return false;
    }
    PyObject* told = PyObject_CallFunction(progress, "d", part_done);
    Py_XDECREF(told);
    return told == nullptr;
}

}  // namespace

void ReleasedLock::take() noexcept {
    wait_if_python_ends([this] { PyEval_RestoreThread(thread_); });
}

bool ReleasedLock::is_interrupted(PyObject* progress, double part_done) noexcept {
    bool stops = false;
    wait_if_python_ends([&] {
        PyEval_RestoreThread(thread_);
        stops = wants_to_stop(progress, part_done);
        thread_ = PyEval_SaveThread();
    });
    return stops;
}

}  // namespace wsdhq::bindings
