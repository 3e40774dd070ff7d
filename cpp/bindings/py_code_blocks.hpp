// The code blocks of an index, as Python holds them.
#pragma once

#include "bindings.hpp"
#include "wsdhq/code_blocks.hpp"

namespace wsdhq::bindings {

using MaskArray = py::array_t<bool, py::array::c_style>;

// Holds the arrays that it was made of; their shapes are checked once.
class PyCodeBlocks {
public:
    PyCodeBlocks(const CodeArray& full, const CodeArray& last, const FloatArray& edges,
                 py::ssize_t size);

    CodeBlocks view() const;
    py::ssize_t size() const { return size_; }
    py::ssize_t num_rows() const { return last_.shape(0); }
    // Of the bins of norms: (kTableSize), or empty.
    const FloatArray& edges() const { return edges_; }

private:
    CodeArray full_;
    CodeArray last_;
    FloatArray edges_;
    py::ssize_t size_;
};

}  // namespace wsdhq::bindings
