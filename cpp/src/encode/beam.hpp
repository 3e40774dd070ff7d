// A start for a code: beam search over the codebooks (as Babenko and Lempitsky, CVPR 2014, encode
// additive codes; here with the tables of the expanded objective).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "wsdhq/tables.hpp"

namespace wsdhq {

// Codebooks by falling mean of c^T S c, equal ones by index.
std::vector<std::uint32_t> order_of_codebooks(const EncodingTables& tables);

class BeamSearch {
public:
    // In 16 bits where the tables of P are: costs then stop at the ends of the range, and steps
    // are taken from the best of a codebook and of the beam, so that only bad codes meet the end.
    static std::unique_ptr<BeamSearch> make(const EncodingTables& tables, std::size_t width);
    virtual ~BeamSearch() = default;

    // Codebook by codebook, the one of the largest codewords first: of all continuations of the
    // partial codes that were kept, the `width` best are kept. Equal costs go to the earlier
    // partial code, then to the lower codeword. Finds up to `wanted` codes; returns how many: at
    // least one.
    virtual std::size_t search(const std::int32_t* unary, std::size_t wanted,
                               const kernels::EncodeKernels& kernels) = 0;

    // The best code of those found and not yet taken, by cost and then by place: num_codebooks
    // bytes.
    virtual const std::uint8_t* take() = 0;
};

}  // namespace wsdhq
