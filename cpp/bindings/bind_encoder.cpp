#include <pybind11/stl.h>

#include <memory>
#include <optional>

#include "bindings.hpp"
#include "wsdhq/cpu.hpp"
#include "wsdhq/encoder.hpp"

namespace wsdhq::bindings {
namespace {

Relaxation relaxation_named(const std::string& name) {
    if (name == "none") {
        return Relaxation::none;
    }
    if (name == "codebooks") {
        return Relaxation::codebooks;
    }
    if (name == "data") {
        return Relaxation::data;
    }
    throw py::value_error("relaxation: expected none, codebooks or data, got " + name);
}

std::unique_ptr<Encoder> make_encoder(const FloatArray& codebooks,
                                      const std::optional<FloatArray>& metric, int threads) {
    const CodebooksView view = codebooks_view(codebooks);
    check_threads(threads);
    if (view.num_codebooks > EncodingTables::kMaxCodebooks) {
        throw py::value_error("codebooks: expected at most " +
                              std::to_string(EncodingTables::kMaxCodebooks) + ", got " +
                              std::to_string(view.num_codebooks));
    }
    if (metric) {
        const auto dim = static_cast<py::ssize_t>(view.dim);
        check_shape(*metric, "metric", {dim, dim});
        check_aligned(*metric, "metric");
    }
    const auto& kernels = active_kernels();
    const float* data = metric ? metric->data() : nullptr;
    std::unique_ptr<Encoder> encoder;
    run_released([&](Interrupt& interrupt) {
        encoder = std::make_unique<Encoder>(view, data, kernels, threads, interrupt);
    });
    return encoder;
}

CodeArray encode(const Encoder& encoder, const FloatArray& vectors,
                 const std::optional<CodeArray>& codes, std::uint32_t iterations,
                 const std::string& relaxation, std::uint64_t seed, std::uint32_t beam_width,
                 int threads, const py::object& progress) {
    check_shape(vectors, "vectors", {-1, static_cast<py::ssize_t>(encoder.dim())});
    check_threads(threads);
    const auto num_codebooks = static_cast<py::ssize_t>(encoder.num_codebooks());
    CodeArray out({vectors.shape(0), num_codebooks});
    if (codes) {
        check_shape(*codes, "codes", {vectors.shape(0), num_codebooks});
        // Copied first: what is checked must be what is used.
        std::copy(codes->data(), codes->data() + codes->size(), out.mutable_data());
        check_codes(codes_view(out), encoder.codebook_size());
    }
    const EncodeSettings settings{iterations, relaxation_named(relaxation), seed, threads,
                                  beam_width};
    const auto& kernels = active_kernels();
    const VectorsView view = vectors_view(vectors);
    std::uint8_t* data = out.mutable_data();
    const bool warm = codes.has_value();
    run_released(
        [&](Interrupt& interrupt) {
            encoder.encode(view, warm, settings, kernels, interrupt, data);
        },
        progress);
    return out;
}

FloatArray noisy_codebooks(const FloatArray& codebooks, double temperature, std::uint64_t seed,
                           std::uint32_t iteration) {
    const CodebooksView view = codebooks_view(codebooks);
    FloatArray out({codebooks.shape(0), codebooks.shape(1), codebooks.shape(2)});
    float* data = out.mutable_data();
    run_released([&](Interrupt& interrupt) {
        const CentredCodebooks centred(view);
        const std::vector<float> noisy = perturb_codebooks(view, noise_deviation(centred),
                                                           temperature, seed, iteration, interrupt);
        std::copy(noisy.begin(), noisy.end(), data);
    });
    return out;
}

FloatArray noisy_vectors(const FloatArray& vectors, const FloatArray& codebooks, double temperature,
                         std::uint64_t seed, std::uint32_t iteration, int threads) {
    const CodebooksView view = codebooks_view(codebooks);
    check_shape(vectors, "vectors", {-1, codebooks.shape(2)});
    check_threads(threads);
    FloatArray out({vectors.shape(0), vectors.shape(1)});
    const VectorsView rows = vectors_view(vectors);
    float* data = out.mutable_data();
    run_released([&](Interrupt& interrupt) {
        perturb_vectors(rows, noise_deviation(CentredCodebooks(view)), temperature, seed, iteration,
                        threads, interrupt, data);
    });
    return out;
}

}  // namespace

void bind_encoder(py::module_& module) {
    module.attr("max_codebooks") = EncodingTables::kMaxCodebooks;
    module.def("perturb_codebooks", &noisy_codebooks, py::arg("codebooks").noconvert(),
               py::arg("temperature"), py::arg("seed"), py::arg("iteration"));
    module.def("perturb_vectors", &noisy_vectors, py::arg("vectors").noconvert(),
               py::arg("codebooks").noconvert(), py::arg("temperature"), py::arg("seed"),
               py::arg("iteration"), py::arg("threads"));
    py::class_<Encoder>(module, "Encoder")
        .def(py::init(&make_encoder), py::arg("codebooks").noconvert(),
             py::arg("metric").noconvert(), py::arg("threads"))
        .def("encode", &encode, py::arg("vectors").noconvert(), py::arg("codes").noconvert(),
             py::arg("iterations"), py::arg("relaxation"), py::arg("seed"), py::arg("beam_width"),
             py::arg("threads"), py::arg("progress") = py::none());
}

}  // namespace wsdhq::bindings
