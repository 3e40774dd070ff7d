// A start for a code: beam search over the codebooks (Babenko and Lempitsky, CVPR 2014, encode
// additive codes so; here with the tables of the expanded objective).
#pragma once

#include <cstdint>
#include <vector>

#include "sweeps.hpp"

namespace wsdhq {

class BeamSearch {
public:
    BeamSearch(const EncodingTables& tables, std::size_t width);

    // Codebook by codebook, the one of the largest codewords first: of all continuations of the
    // partial codes that were kept, the `width` best are kept. Equal costs go to the earlier
    // partial code, then to the lower codeword. Returns how many codes there are: at most `width`.
    std::size_t search(const std::int32_t* unary, const kernels::EncodeKernels& kernels);

    // The place of the best code among those `search` found that `take` has not given yet, by cost
    // and then by place; num_codebooks bytes.
    const std::uint8_t* take();

private:
    struct Candidate {
        std::int32_t cost;
        std::uint32_t parent;
        std::uint32_t codeword;
    };

    const EncodingTables& tables_;
    std::size_t width_;
    std::vector<std::uint32_t> order_;
    std::size_t count_ = 0;
    std::vector<std::uint8_t> codes_, next_codes_;   // (width, M)
    std::vector<std::int32_t> totals_;               // (width)
    std::vector<std::int32_t> costs_, minima_, least_;  // (width, padded), (width, 16), (width)
    std::vector<std::uint32_t> found_;
    std::vector<Candidate> candidates_;
    std::vector<std::int32_t> found_costs_;

    std::int32_t limit_for(std::size_t wanted, const kernels::EncodeKernels& kernels) const;
    void keep_best(std::size_t wanted, std::int32_t least, std::int32_t limit,
                   const kernels::EncodeKernels& kernels);
};

}  // namespace wsdhq
