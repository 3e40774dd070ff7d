#include "wsdhq/relaxation.hpp"

#include <cmath>

#include "wsdhq/random.hpp"

namespace wsdhq {

double temperature(std::uint32_t iteration, std::uint32_t num_iterations) {
    return std::sqrt(1.0 - static_cast<double>(iteration) / num_iterations);
}

std::vector<double> noise_deviation(const CentredCodebooks& codebooks) {
    std::vector<double> deviation(codebooks.dim, 0.0);
    const std::size_t num_codewords = codebooks.num_codebooks * codebooks.codebook_size;
    for (std::size_t i = 0; i < num_codewords; ++i) {
        for (std::size_t d = 0; d < codebooks.dim; ++d) {
            const double value = codebooks.values[i * codebooks.dim + d];
            deviation[d] += value * value;
        }
    }
    for (double& value : deviation) {
        value = std::sqrt(value / static_cast<double>(codebooks.codebook_size));
    }
    return deviation;
}

std::vector<float> perturb_codebooks(const CentredCodebooks& codebooks,
                                     const std::vector<double>& deviation, double temperature,
                                     std::uint64_t seed, std::uint32_t iteration) {
    const std::size_t dim = codebooks.dim;
    const std::size_t size = codebooks.codebook_size * dim;
    const double scale = temperature / static_cast<double>(codebooks.num_codebooks);
    std::vector<float> perturbed(codebooks.values.size());
    std::vector<double> draws(size);
    for (std::size_t m = 0; m < codebooks.num_codebooks; ++m) {
        random::normals(seed, random::Stream::codebook_noise, iteration,
                        static_cast<std::uint32_t>(m), size, draws.data());
        for (std::size_t i = 0; i < size; ++i) {
            perturbed[m * size + i] = static_cast<float>(codebooks.values[m * size + i] +
                                                         scale * deviation[i % dim] * draws[i]);
        }
    }
    return perturbed;
}

void perturb_vector(const float* vector, const std::vector<double>& deviation, double temperature,
                    std::uint64_t key, std::uint32_t iteration, double* scratch, float* out) {
    const std::size_t dim = deviation.size();
    random::normals(key, random::Stream::data_noise, iteration, 0, dim, scratch);
    for (std::size_t d = 0; d < dim; ++d) {
        out[d] = static_cast<float>(vector[d] + temperature * deviation[d] * scratch[d]);
    }
}

}  // namespace wsdhq
