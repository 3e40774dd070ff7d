// A start for a code where whole numbers are too coarse: beam search in double, on residuals.
#pragma once

#include <cstdint>
#include <vector>

#include "wsdhq/tables.hpp"

namespace wsdhq {

class ExactStart {
public:
    // Keeps up to `width` partial codes.
    ExactStart(const EncodingTables& tables, std::size_t width);

    // Codebook by codebook, as BeamSearch. Writes num_codebooks bytes. Never allocates.
    void search(const float* vector, std::uint8_t* code);

private:
    struct Candidate {
        double cost;
        std::uint32_t place;  // partial code * 256 + codeword
    };
    const EncodingTables& tables_;
    std::size_t width_;
    std::vector<std::uint32_t> order_;
    std::vector<double> residuals_, next_residuals_;  // (width, dim)
    std::vector<std::uint8_t> codes_, next_codes_;    // (width, num_codebooks)
    std::vector<double> totals_;                      // (width)
    std::vector<Candidate> candidates_;               // (width * codebook_size)
};

}  // namespace wsdhq
