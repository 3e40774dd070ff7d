#include <pybind11/stl.h>

#include <optional>

#include "bindings.hpp"
#include "wsdhq/aqd.hpp"

namespace wsdhq::bindings {
namespace {

Similarity similarity_named(const std::string& name) {
    if (name == "ip") {
        return Similarity::inner_product;
    }
    if (name == "l2") {
        return Similarity::l2;
    }
    if (name == "cosine") {
        return Similarity::cosine;
    }
    throw py::value_error("similarity: expected ip, l2 or cosine, got " + name);
}

FloatArray decode_codes(const FloatArray& codebooks, const CodeArray& codes, int threads) {
    const CodebooksView view = codebooks_view(codebooks);
    check_shape(codes, "codes", {-1, codebooks.shape(0)});
    check_threads(threads);
    const CodesView code_view = codes_view(codes);
    check_codes(code_view, view.codebook_size);
    FloatArray out({codes.shape(0), codebooks.shape(2)});
    float* data = out.mutable_data();
    run_released([&](Interrupt& interrupt) { decode(view, code_view, threads, interrupt, data); });
    return out;
}

// A searcher that remembers the shape its arguments must have. Codes are checked when they enter
// an index, and again here, because a mapped file may have changed since.
class PySearcher {
public:
    PySearcher(const FloatArray& codebooks, const std::string& similarity)
        : view_(codebooks_view(codebooks)),
          similarity_(similarity_named(similarity)),
          searcher_(view_, similarity_) {}

    FloatArray norms(const CodeArray& codes, int threads) const {
        check_codes_shape(codes);
        check_threads(threads);
        const CodesView code_view = codes_view(codes);
        FloatArray out(similarity_ == Similarity::inner_product ? 0 : codes.shape(0));
        float* data = out.mutable_data();
        run_released(
            [&](Interrupt& interrupt) { searcher_.norms(code_view, threads, interrupt, data); });
        return out;
    }

    py::tuple search(const FloatArray& queries, const CodeArray& codes, const FloatArray& norms,
                     const std::optional<IntArray>& positions, py::ssize_t k, int threads) const {
        const Database database = make_database(queries, codes, norms, positions, threads);
        if (k < 0) {
            throw py::value_error("k: expected at least 0, got " + std::to_string(k));
        }
        FloatArray scores({queries.shape(0), k});
        IntArray found({queries.shape(0), k});
        const VectorsView view = vectors_view(queries);
        const auto& kernels = active_kernels();
        float* score_data = scores.mutable_data();
        std::int64_t* found_data = found.mutable_data();
        run_released([&](Interrupt& interrupt) {
            searcher_.search(view, database, static_cast<std::size_t>(k), threads, kernels,
                             interrupt, score_data, found_data);
        });
        return py::make_tuple(scores, found);
    }

    py::tuple range_search(const FloatArray& queries, const CodeArray& codes,
                           const FloatArray& norms, const std::optional<IntArray>& positions,
                           float threshold, int threads) const {
        const Database database = make_database(queries, codes, norms, positions, threads);
        const VectorsView view = vectors_view(queries);
        const auto& kernels = active_kernels();
        std::vector<std::vector<SearchResult>> results;
        run_released([&](Interrupt& interrupt) {
            results =
                searcher_.range_search(view, database, threshold, threads, kernels, interrupt);
        });
        IntArray limits(queries.shape(0) + 1);
        limits.mutable_at(0) = 0;
        for (std::size_t q = 0; q < results.size(); ++q) {
            const auto at = static_cast<py::ssize_t>(q);
            limits.mutable_at(at + 1) =
                limits.at(at) + static_cast<std::int64_t>(results[q].size());
        }
        const auto total = static_cast<py::ssize_t>(limits.at(queries.shape(0)));
        FloatArray scores(total);
        IntArray found(total);
        float* score = scores.mutable_data();
        std::int64_t* position = found.mutable_data();
        for (const auto& query : results) {
            for (const SearchResult& result : query) {
                *score++ = result.score;
                *position++ = result.position;
            }
        }
        return py::make_tuple(limits, scores, found);
    }

private:
    void check_codes_shape(const CodeArray& codes) const {
        check_shape(codes, "codes", {-1, static_cast<py::ssize_t>(view_.num_codebooks)});
        check_codes(codes_view(codes), view_.codebook_size);
    }

    Database make_database(const FloatArray& queries, const CodeArray& codes,
                           const FloatArray& norms, const std::optional<IntArray>& positions,
                           int threads) const {
        check_shape(queries, "queries", {-1, static_cast<py::ssize_t>(view_.dim)});
        check_codes_shape(codes);
        check_threads(threads);
        check_shape(norms, "norms",
                    {similarity_ == Similarity::inner_product ? 0 : codes.shape(0)});
        Database database{codes_view(codes), norms.data(), nullptr, 0};
        if (positions) {
            check_shape(*positions, "positions", {-1});
            for (py::ssize_t i = 0; i < positions->shape(0); ++i) {
                const std::int64_t position = positions->at(i);
                if (position < 0 || position >= codes.shape(0) ||
                    (i > 0 && position <= positions->at(i - 1))) {
                    throw py::value_error(
                        "positions: expected ascending positions below the number of codes");
                }
            }
            database.positions = positions->data();
            database.num_positions = static_cast<std::size_t>(positions->shape(0));
        }
        return database;
    }

    CodebooksView view_;  // shape only: the data pointer is not used after construction
    Similarity similarity_;
    Searcher searcher_;
};

}  // namespace

void bind_aqd(py::module_& module) {
    module.def("decode", &decode_codes, py::arg("codebooks").noconvert(),
               py::arg("codes").noconvert(), py::arg("threads"));
    py::class_<PySearcher>(module, "Searcher")
        .def(py::init<const FloatArray&, const std::string&>(), py::arg("codebooks").noconvert(),
             py::arg("similarity"))
        .def("norms", &PySearcher::norms, py::arg("codes").noconvert(), py::arg("threads"))
        .def("search", &PySearcher::search, py::arg("queries").noconvert(),
             py::arg("codes").noconvert(), py::arg("norms").noconvert(),
             py::arg("positions").noconvert(), py::arg("k"), py::arg("threads"))
        .def("range_search", &PySearcher::range_search, py::arg("queries").noconvert(),
             py::arg("codes").noconvert(), py::arg("norms").noconvert(),
             py::arg("positions").noconvert(), py::arg("threshold"), py::arg("threads"));
}

}  // namespace wsdhq::bindings
