// Views of the arrays that cross the library: row-major, one vector per row.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wsdhq {

struct VectorsView {
    const float* data = nullptr;  // (num_vectors, dim)
    std::size_t num_vectors = 0;
    std::size_t dim = 0;

    const float* row(std::size_t n) const { return data + n * dim; }
};

struct CodesView {
    const std::uint8_t* data = nullptr;  // (num_vectors, num_codebooks), each < codebook_size
    std::size_t num_vectors = 0;
    std::size_t num_codebooks = 0;

    const std::uint8_t* row(std::size_t n) const { return data + n * num_codebooks; }
};

struct CodebooksView {
    const float* data = nullptr;  // (num_codebooks, codebook_size, dim)
    std::size_t num_codebooks = 0;
    std::size_t codebook_size = 0;
    std::size_t dim = 0;

    std::size_t num_codewords() const { return num_codebooks * codebook_size; }
    const float* codeword(std::size_t m, std::size_t k) const {
        return data + (m * codebook_size + k) * dim;
    }
};

}  // namespace wsdhq
