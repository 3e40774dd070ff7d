// Encoding by iterated conditional modes (method section 4).
#pragma once

#include <cstdint>
#include <vector>

#include "wsdhq/interrupt.hpp"
#include "wsdhq/relaxation.hpp"
#include "wsdhq/tables.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq {

struct EncodeSettings {
    // Without relaxation: the most sweeps a vector gets (it stops when a sweep changes nothing).
    // With relaxation: the I of the schedule; the sweeps of its last iteration run to the end.
    std::uint32_t iterations = 3;
    Relaxation relaxation = Relaxation::none;
    std::uint64_t seed = 0;
    int threads = 1;
};

// Codes of vectors under one set of codebooks and one metric. A code is a function of the vector,
// the codebooks, the metric, the settings and the code it started from, and of nothing else:
// threads, batch, position and instruction set do not change it.
class Encoder {
public:
    // `metric` (dim, dim), symmetric positive semi-definite, or nullptr for the identity.
    Encoder(CodebooksView codebooks, const float* metric, const kernels::KernelTable& kernels,
            int threads);

    // Writes (num_vectors, num_codebooks) codes. With `warm`, `codes` holds the codes to start
    // from, each below codebook_size; otherwise a start is made codebook by codebook, each the
    // best given the ones before it. The objective of a code is never above that of its start.
    // Working memory is bounded for any number of vectors. Throws Cancelled.
    void encode(VectorsView vectors, bool warm, const EncodeSettings& settings,
                const kernels::KernelTable& kernels, Interrupt& interrupt,
                std::uint8_t* codes) const;

    std::size_t num_codebooks() const { return tables_.num_codebooks; }
    std::size_t codebook_size() const { return tables_.codebook_size; }
    std::size_t dim() const { return tables_.dim; }

private:
    CentredCodebooks centred_;
    std::vector<float> metric_;  // empty: the identity
    EncodingTables tables_;
    std::vector<double> deviation_;

    struct Chunk;
    struct Workspace;
    // Centred vectors and their unary terms under the true codebooks.
    void load_block(const Chunk& chunk, std::size_t first, std::size_t last, Workspace& work,
                    const kernels::KernelTable& kernels) const;
    // The start, remembered as the best code so far.
    void start_block(Chunk& chunk, std::size_t first, std::size_t last, Workspace& work,
                     const kernels::KernelTable& kernels) const;
    // One relaxed sweep.
    void sweep_block(Chunk& chunk, std::size_t first, std::size_t last,
                     const EncodingTables& tables, std::uint32_t iteration, Workspace& work,
                     const EncodeSettings& settings, const kernels::KernelTable& kernels) const;
    // Sweeps under the true codebooks of what load_block loaded; never worse than the best so far.
    void finish_block(Chunk& chunk, std::size_t first, std::size_t last, Workspace& work,
                      const EncodeSettings& settings, const kernels::KernelTable& kernels) const;
    const float* metric() const { return metric_.empty() ? nullptr : metric_.data(); }
};

}  // namespace wsdhq
