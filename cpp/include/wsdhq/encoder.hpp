// Encoding by iterated conditional modes (method section 4).
#pragma once

#include <cstdint>
#include <vector>

#include "wsdhq/interrupt.hpp"
#include "wsdhq/relaxation.hpp"
#include "wsdhq/tables.hpp"
#include "wsdhq/types.hpp"

namespace wsdhq {

class BlockSweeps;

struct EncodeSettings {
    // Without relaxation: the most sweeps a code gets (it stops when a sweep changes nothing).
    // With relaxation: the I of the schedule; the sweeps of its last iteration run to the end.
    std::uint32_t iterations = 3;
    Relaxation relaxation = Relaxation::none;
    std::uint64_t seed = 0;
    int threads = 1;
    // Partial codes kept while a start is made codebook by codebook; 0 makes no start.
    std::uint32_t beam_width = 1;
};

// Codes of vectors under one set of codebooks and one metric. A code is a function of the vector,
// the codebooks, the metric, the settings and the code it started from, and of nothing else:
// threads, batch, position and instruction set do not change it.
class Encoder {
public:
    // `metric` (dim, dim), symmetric positive semi-definite, or nullptr for the identity. Throws
    // Cancelled.
    Encoder(CodebooksView codebooks, const float* metric, const kernels::KernelTable& kernels,
            int threads, Interrupt& interrupt);

    // Writes (num_vectors, num_codebooks) codes. With `warm`, `codes` holds codes to start from,
    // each below codebook_size. With a beam_width above 0 a start is made by beam search, too; of
    // two starts the better end counts. Without `warm` the beam_width is taken as at least 1. The
    // objective of a code is never above that of its starts. Working memory is bounded for any
    // number of vectors. Vectors that change meanwhile, or are no numbers, get some codes below
    // codebook_size. Throws Cancelled.
    void encode(VectorsView vectors, bool warm, const EncodeSettings& settings,
                const kernels::KernelTable& kernels, Interrupt& interrupt,
                std::uint8_t* codes) const;

    std::size_t num_codebooks() const { return tables_.num_codebooks(); }
    std::size_t codebook_size() const { return tables_.codebook_size(); }
    std::size_t dim() const { return tables_.dim(); }

private:
    CentredCodebooks centred_;
    std::vector<float> metric_;  // empty: the identity
    EncodingTables tables_;
    std::vector<double> deviation_;

    struct Chunk;
    struct Start;
    struct Workspace;
    struct Block {  // of the vectors of a chunk
        std::size_t first;
        std::size_t last;
    };
    void encode_chunk(Chunk& chunk, bool warm, std::vector<Workspace>& workspaces,
                      const EncodeSettings& settings, const kernels::KernelTable& kernels,
                      Interrupt& interrupt) const;
    // Starts, and what sweeps under the true codebooks make of them.
    void start_block(Chunk& chunk, Block block, bool warm, Workspace& work,
                     const EncodeSettings& settings, const kernels::EncodeKernels& kernels) const;
    // One sweep of the relaxation, `relaxed` being under its tables.
    void relaxed_block(Chunk& chunk, Block block, BlockSweeps& relaxed, std::uint32_t iteration,
                       Workspace& work, const EncodeSettings& settings,
                       const kernels::EncodeKernels& kernels) const;
    // Sweeps under the true codebooks, to conditional modes.
    void finish_block(Chunk& chunk, Block block, Workspace& work, const EncodeSettings& settings,
                      const kernels::EncodeKernels& kernels) const;
    static std::uint32_t sweeps_of_start(const EncodeSettings& settings);
    const float* metric() const { return metric_.empty() ? nullptr : metric_.data(); }
};

}  // namespace wsdhq
