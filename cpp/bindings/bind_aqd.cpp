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

using MaskArray = py::array_t<bool, py::array::c_style>;

// The code blocks of an index, with the arrays that Python holds them in.
struct PyBlocks {
    CodeArray full;    // (num_vectors / block_size, num_rows, block_size)
    CodeArray last;    // (num_rows, block_size): the vectors left over
    FloatArray edges;  // (table_size,), or empty for inner products
    IntArray ids;      // (num_vectors,)
};

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

    py::tuple search(const FloatArray& queries, const CodeArray& full, const CodeArray& last,
                     const FloatArray& edges, const IntArray& ids,
                     const std::optional<py::array>& allowed, py::ssize_t k, int threads) const {
        const PyBlocks blocks{full, last, edges, ids};
        const Database database = make_database(queries, blocks, allowed, threads);
        if (k < 0) {
            throw py::value_error("k: expected at least 0, got " + std::to_string(k));
        }
        FloatArray scores({queries.shape(0), k});
        IntArray found({queries.shape(0), k});
        const VectorsView view = vectors_view(queries);
        const auto& kernels = active_kernels();
        float* score_data = scores.mutable_data();
        std::int64_t* found_data = found.mutable_data();
        const std::int64_t* id_data = ids.data();
        const auto count = static_cast<std::size_t>(found.size());
        run_released([&](Interrupt& interrupt) {
            searcher_.search(view, database, static_cast<std::size_t>(k), threads, kernels,
                             interrupt, score_data, found_data);
            for (std::size_t i = 0; i < count; ++i) {
                found_data[i] = found_data[i] < 0 ? -1 : id_data[found_data[i]];
            }
        });
        return py::make_tuple(scores, found);
    }

    py::tuple range_search(const FloatArray& queries, const CodeArray& full, const CodeArray& last,
                           const FloatArray& edges, const IntArray& ids,
                           const std::optional<py::array>& allowed, float threshold,
                           int threads) const {
        const PyBlocks blocks{full, last, edges, ids};
        const Database database = make_database(queries, blocks, allowed, threads);
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
        std::int64_t* id = found.mutable_data();
        const std::int64_t* id_data = ids.data();
        for (auto& query : results) {
            for (const SearchResult& result : query) {
                *score++ = result.score;
                *id++ = id_data[result.position];
            }
            std::vector<SearchResult>().swap(query);
        }
        return py::make_tuple(limits, scores, found);
    }

private:
    Database make_database(const FloatArray& queries, const PyBlocks& blocks,
                           const std::optional<py::array>& allowed, int threads) const {
        const auto rows = static_cast<py::ssize_t>(searcher_.num_rows());
        const auto block_size = static_cast<py::ssize_t>(kernels::kBlockSize);
        check_shape(queries, "queries", {-1, static_cast<py::ssize_t>(view_.dim)});
        check_shape(blocks.ids, "ids", {-1});
        const py::ssize_t size = blocks.ids.shape(0);
        check_shape(blocks.full, "full", {size / block_size, rows, block_size});
        check_shape(blocks.last, "last", {rows, block_size});
        check_shape(blocks.edges, "edges",
                    {similarity_ == Similarity::inner_product
                         ? 0
                         : static_cast<py::ssize_t>(kernels::kTableSize)});
        check_threads(threads);
        Database database;
        database.blocks = {blocks.full.data(), blocks.last.data(), static_cast<std::size_t>(size),
                           searcher_.num_rows()};
        database.norm_edges = blocks.edges.data();
        if (!allowed) {
            return database;
        }
        if (py::isinstance<MaskArray>(*allowed)) {
            check_shape(*allowed, "allowed", {size});
            database.mask = static_cast<const std::uint8_t*>(allowed->data());
            return database;
        }
        if (!py::isinstance<IntArray>(*allowed)) {
            throw py::type_error("allowed: expected a contiguous mask or int64 positions");
        }
        check_shape(*allowed, "allowed", {-1});
        const auto* positions = static_cast<const std::int64_t*>(allowed->data());
        for (py::ssize_t i = 0; i < allowed->shape(0); ++i) {
            if (positions[i] < 0 || positions[i] >= size ||
                (i > 0 && positions[i] <= positions[i - 1])) {
                throw py::value_error(
                    "allowed: expected ascending positions below the number of vectors");
            }
        }
        database.positions = positions;
        database.num_positions = static_cast<std::size_t>(allowed->shape(0));
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
        .def_property_readonly("num_rows", &PySearcher::num_rows)
        .def("norms", &PySearcher::norms, py::arg("codes").noconvert(), py::arg("threads"))
        .def("search", &PySearcher::search, py::arg("queries").noconvert(),
             py::arg("full").noconvert(), py::arg("last").noconvert(), py::arg("edges").noconvert(),
             py::arg("ids").noconvert(), py::arg("allowed"), py::arg("k"), py::arg("threads"))
        .def("range_search", &PySearcher::range_search, py::arg("queries").noconvert(),
             py::arg("full").noconvert(), py::arg("last").noconvert(), py::arg("edges").noconvert(),
             py::arg("ids").noconvert(), py::arg("allowed"), py::arg("threshold"),
             py::arg("threads"));
    module.attr("block_size") = kernels::kBlockSize;
    module.attr("table_size") = kernels::kTableSize;
}

}  // namespace wsdhq::bindings
