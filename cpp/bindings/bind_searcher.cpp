#include <pybind11/stl.h>

#include <algorithm>
#include <optional>

#include "py_code_blocks.hpp"
#include "wsdhq/searcher.hpp"

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

// Into `out`, or an array of its own.
FloatArray decode_codes(const FloatArray& codebooks, const CodeArray& codes, int threads,
                        std::optional<FloatArray> out) {
    const CodebooksView view = codebooks_view(codebooks);
    check_shape(codes, "codes", {-1, codebooks.shape(0)});
    check_threads(threads);
    const CheckedCodes checked(codes, view.codebook_size);
    const py::ssize_t count = codes.shape(0);
    FloatArray decoded = out ? *out : FloatArray({count, codebooks.shape(2)});
    check_shape(decoded, "out", {count, codebooks.shape(2)});
    check_aligned(decoded, "out");
    float* data = decoded.mutable_data();
    run_released(
        [&](Interrupt& interrupt) { decode(view, checked.view(), threads, interrupt, data); });
    return decoded;
}

// A searcher that remembers the shape its arguments must have. Codes are checked when they enter
// an index; here every byte is safe, because a mapped file may have changed since.
class PySearcher {
public:
    PySearcher(const FloatArray& codebooks, const std::string& similarity)
        : view_(codebooks_view(codebooks)),
          similarity_(similarity_named(similarity)),
          searcher_(view_, similarity_) {}

    std::size_t num_rows() const { return searcher_.num_rows(); }

    FloatArray norms(const CodeArray& codes, int threads) const {
        check_shape(codes, "codes", {-1, static_cast<py::ssize_t>(view_.num_codebooks)});
        check_threads(threads);
        const CodesView code_view = codes_view(codes);
        FloatArray out(similarity_ == Similarity::inner_product ? 0 : codes.shape(0));
        const auto& kernels = active_kernels();
        float* data = out.mutable_data();
        run_released([&](Interrupt& interrupt) {
            searcher_.norms(code_view, threads, kernels, interrupt, data);
        });
        return out;
    }

    py::tuple search(const FloatArray& queries, const PyCodeBlocks& blocks, py::ssize_t first,
                     const std::optional<py::array>& mask, py::ssize_t k, int threads) const {
        const Database database = make_database(queries, blocks, first, mask);
        check_threads(threads);
        if (k < 0) {
            throw py::value_error("k: expected at least 0, got " + std::to_string(k));
        }
        FloatArray scores({queries.shape(0), k});
        IntArray found({queries.shape(0), k});
        const VectorsView view = vectors_view(queries, "queries");
        const auto& kernels = active_kernels();
        float* score_data = scores.mutable_data();
        std::int64_t* found_data = found.mutable_data();
        run_released([&](Interrupt& interrupt) {
            searcher_.search(view, database, static_cast<std::size_t>(k), threads, kernels,
                             interrupt, score_data, found_data);
        });
        return py::make_tuple(scores, found);
    }

    py::tuple range_search(const FloatArray& queries, const PyCodeBlocks& blocks, py::ssize_t first,
                           const std::optional<py::array>& mask, float threshold,
                           int threads) const {
        const Database database = make_database(queries, blocks, first, mask);
        check_threads(threads);
        const VectorsView view = vectors_view(queries, "queries");
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
        run_released([&](Interrupt& interrupt) {
            for (auto& query : results) {
                interrupt.throw_if_requested();
                for (const SearchResult& result : query) {
                    *score++ = result.score;
                    *position++ = result.position;
                }
                std::vector<SearchResult>().swap(query);
            }
        });
        return py::make_tuple(limits, scores, found);
    }

private:
    Database make_database(const FloatArray& queries, const PyCodeBlocks& blocks, py::ssize_t first,
                           const std::optional<py::array>& mask) const {
        check_shape(queries, "queries", {-1, static_cast<py::ssize_t>(view_.dim)});
        const bool has_norms = similarity_ != Similarity::inner_product;
        if (blocks.num_rows() != static_cast<py::ssize_t>(searcher_.num_rows()) ||
            (blocks.edges().size() != 0) != has_norms) {
            throw py::value_error("blocks: expected " + std::to_string(searcher_.num_rows()) +
                                  " rows" + (has_norms ? " with" : " without") +
                                  " edges of norms, got " + std::to_string(blocks.num_rows()));
        }
        Database database;
        database.blocks = blocks.view();
        database.norm_edges = blocks.edges().data();
        const py::ssize_t last =
            std::min(blocks.size(), static_cast<py::ssize_t>(kernels::kBlockSize) - 1);
        if (first < 0 || first > (mask ? 0 : last)) {
            throw py::value_error("first: expected a place in the first block, 0 with a mask");
        }
        database.first = static_cast<std::size_t>(first);
        if (mask) {
            if (!py::isinstance<MaskArray>(*mask)) {
                throw py::type_error("mask: expected a contiguous array of bool");
            }
            check_shape(*mask, "mask", {blocks.size()});
            database.mask = static_cast<const std::uint8_t*>(mask->data());
        }
        return database;
    }

    CodebooksView view_;  // shape only: the data pointer is not used after construction
    Similarity similarity_;
    Searcher searcher_;
};

}  // namespace

void bind_searcher(py::module_& module) {
    module.def("decode", &decode_codes, py::arg("codebooks").noconvert(),
               py::arg("codes").noconvert(), py::arg("threads"),
               py::arg("out").noconvert() = py::none());
    py::class_<PySearcher>(module, "Searcher")
        .def(py::init<const FloatArray&, const std::string&>(), py::arg("codebooks").noconvert(),
             py::arg("similarity"))
        .def_property_readonly("num_rows", &PySearcher::num_rows)
        .def("norms", &PySearcher::norms, py::arg("codes").noconvert(), py::arg("threads"))
        .def("search", &PySearcher::search, py::arg("queries").noconvert(), py::arg("blocks"),
             py::arg("first"), py::arg("mask"), py::arg("k"), py::arg("threads"))
        .def("range_search", &PySearcher::range_search, py::arg("queries").noconvert(),
             py::arg("blocks"), py::arg("first"), py::arg("mask"), py::arg("threshold"),
             py::arg("threads"));
}

}  // namespace wsdhq::bindings
