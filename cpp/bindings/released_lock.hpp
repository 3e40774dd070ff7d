// Python's lock (the GIL), given up while the core works and taken back for a moment in between.
#pragma once

#include <Python.h>

namespace wsdhq::bindings {

// Released from construction to destruction, on the thread that made it.
class ReleasedLock {
public:
    ReleasedLock() : thread_(PyEval_SaveThread()) {}
    ~ReleasedLock() { take(); }
    ReleasedLock(const ReleasedLock&) = delete;
    ReleasedLock& operator=(const ReleasedLock&) = delete;

    // Whether Python wants the work to stop: it has a signal to handle, or `progress`, which is
    // told the part that is done unless it is None, raises. The error is then set.
    bool is_interrupted(PyObject* progress, double part_done) noexcept;

private:
    PyThreadState* thread_;

    void take() noexcept;
};

}  // namespace wsdhq::bindings
