// The private module wsdhq._core. Its callers, wsdhq.quant, validate and convert; it re-checks
// sizes before any pointer is used.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <sstream>

#include "bindings.hpp"
#include "wsdhq/cpu.hpp"

namespace wsdhq::bindings {

void check_shape(const py::array& array, const char* name,
                 std::initializer_list<py::ssize_t> expected) {
    bool same = array.ndim() == static_cast<py::ssize_t>(expected.size());
    std::ostringstream wanted;
    py::ssize_t axis = 0;
    for (const py::ssize_t length : expected) {
        same = same && (length < 0 || array.shape(axis) == length);
        wanted << (axis > 0 ? ", " : "") << (length < 0 ? "any" : std::to_string(length));
        ++axis;
    }
    if (same) {
        return;
    }
    std::ostringstream message;
    message << name << ": expected shape (" << wanted.str() << "), got (";
    for (py::ssize_t i = 0; i < array.ndim(); ++i) {
        message << (i > 0 ? ", " : "") << array.shape(i);
    }
    throw py::value_error(message.str() + ")");
}

void check_aligned(const py::array& array, const char* name) {
    const auto address = reinterpret_cast<std::uintptr_t>(array.data());
    if (array.size() != 0 && address % static_cast<std::size_t>(array.itemsize()) != 0) {
        throw py::value_error(std::string(name) +
                              ": expected an array whose items lie at multiples of " +
                              std::to_string(array.itemsize()) + " bytes");
    }
}

void check_threads(int threads) {
    if (threads < 1) {
        throw py::value_error("threads: expected at least 1, got " + std::to_string(threads));
    }
}

void check_codes(CodesView codes, std::size_t codebook_size) {
    if (codebook_size > 255) {
        return;  // every byte is a code
    }
    constexpr std::size_t per_poll = 1 << 20;
    const std::size_t count = codes.num_vectors * codes.num_codebooks;
    run_released([&](Interrupt& interrupt) {
        for (std::size_t i = 0; i < count; ++i) {
            if (i % per_poll == 0) {
                interrupt.throw_if_requested();
            }
            if (codes.data[i] >= codebook_size) {
                throw py::value_error("codes: row " + std::to_string(i / codes.num_codebooks) +
                                      " holds code " + std::to_string(codes.data[i]) +
                                      " for codebook " + std::to_string(i % codes.num_codebooks) +
                                      ": expected codes below " + std::to_string(codebook_size));
            }
        }
    });
}

CheckedCodes::CheckedCodes(const CodeArray& codes, std::size_t codebook_size)
    : view_(codes_view(codes)) {
    if (codebook_size > 255) {
        return;
    }
    copy_.resize(view_.num_vectors * view_.num_codebooks);
    run_released([&](Interrupt& interrupt) {
        constexpr std::size_t per_poll = 1 << 24;
        for (std::size_t first = 0; first < copy_.size(); first += per_poll) {
            interrupt.throw_if_requested();
            std::copy_n(view_.data + first, std::min(per_poll, copy_.size() - first),
                        copy_.data() + first);
        }
    });
    view_.data = copy_.data();
    check_codes(view_, codebook_size);
}

VectorsView vectors_view(const FloatArray& array, const char* name) {
    check_aligned(array, name);
    return {array.data(), static_cast<std::size_t>(array.shape(0)),
            static_cast<std::size_t>(array.shape(1))};
}

CodesView codes_view(const CodeArray& array) {
    return {array.data(), static_cast<std::size_t>(array.shape(0)),
            static_cast<std::size_t>(array.shape(1))};
}

CodebooksView codebooks_view(const FloatArray& array) {
    check_shape(array, "codebooks", {-1, -1, -1});
    if (array.size() == 0 || array.shape(1) > 256) {
        throw py::value_error("codebooks: expected at least one codebook of 1 to 256 codewords");
    }
    check_aligned(array, "codebooks");
    return {array.data(), static_cast<std::size_t>(array.shape(0)),
            static_cast<std::size_t>(array.shape(1)), static_cast<std::size_t>(array.shape(2))};
}

}  // namespace wsdhq::bindings

PYBIND11_MODULE(_core, module) {
    using namespace wsdhq::bindings;
    module.doc() = "The compiled core of wsdhq.quant. Private: its names may change.";
    module.attr("__version__") = WSDHQ_VERSION;
#if defined(__clang__)
    module.attr("__compiler__") = "Clang " __clang_version__;
#elif defined(__GNUC__)
    module.attr("__compiler__") = "GCC " __VERSION__;
#else
    module.attr("__compiler__") = "unknown compiler";
#endif
#ifdef _OPENMP
    module.attr("has_openmp") = true;
#else
    module.attr("has_openmp") = false;
#endif
    module.def(
        "simd_levels", [] { return wsdhq::simd_levels(); },
        "Instruction sets that this machine has kernels for, the fastest first.\n\n"
        "The last is \"scalar\", which runs everywhere. The first is used, or the one that the\n"
        "environment variable WSDHQ_SIMD names; results are the same to the bit.");
    module.def(
        "active_simd_level", [] { return std::string(wsdhq::active_kernels().name); },
        "The one of `simd_levels` that is used now: the first, or the one that WSDHQ_SIMD "
        "names.\n\n"
        "ValueError where it names none of them.");
    bind_encoder(module);
    bind_statistics(module);
    bind_code_blocks(module);
    bind_searcher(module);
    bind_results(module);
    bind_solve(module);
}
