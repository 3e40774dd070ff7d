#include "encode/exact_start.hpp"

#include <algorithm>

#include "encode/beam.hpp"

namespace wsdhq {

ExactStart::ExactStart(const EncodingTables& tables, std::size_t width)
    : tables_(tables),
      width_(width),
      order_(order_of_codebooks(tables)),
      residuals_(width * tables.dim()),
      next_residuals_(residuals_.size()),
      codes_(width * tables.num_codebooks()),
      next_codes_(codes_.size()),
      totals_(width),
      candidates_(width * tables.codebook_size()) {}

void ExactStart::search(const float* vector, std::uint8_t* code) {
    const std::size_t dim = tables_.dim();
    const std::size_t size = tables_.codebook_size();
    const std::size_t bytes = tables_.num_codebooks();
    std::size_t count = 1;
    totals_[0] = 0.0;
    std::copy(vector, vector + dim, residuals_.begin());
    for (const std::uint32_t m : order_) {
        for (std::size_t b = 0; b < count; ++b) {
            for (std::size_t k = 0; k < size; ++k) {
                candidates_[b * size + k] = {
                    totals_[b] + tables_.exact_cost(residuals_.data() + b * dim, m, k),
                    static_cast<std::uint32_t>(b << 8 | k)};
            }
        }
        const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(count * size);
        count = std::min(width_, count * size);
        std::partial_sort(candidates_.begin(),
                          candidates_.begin() + static_cast<std::ptrdiff_t>(count), end,
                          [](const Candidate& a, const Candidate& b) {
                              return a.cost != b.cost ? a.cost < b.cost : a.place < b.place;
                          });
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t parent = candidates_[i].place >> 8;
            const std::size_t k = candidates_[i].place & 0xFF;
            const float* codeword = tables_.codeword(m, k);
            for (std::size_t d = 0; d < dim; ++d) {
                next_residuals_[i * dim + d] = residuals_[parent * dim + d] - codeword[d];
            }
            std::copy_n(codes_.data() + parent * bytes, bytes, next_codes_.data() + i * bytes);
            next_codes_[i * bytes + m] = static_cast<std::uint8_t>(k);
            totals_[i] = candidates_[i].cost;
        }
        residuals_.swap(next_residuals_);
        codes_.swap(next_codes_);
    }
    std::copy_n(codes_.data(), bytes, code);
}

}  // namespace wsdhq
