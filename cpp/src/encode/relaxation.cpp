#include "wsdhq/relaxation.hpp"

#include <algorithm>
#include <cmath>

#include "base/parallel.hpp"
#include "wsdhq/random.hpp"

namespace wsdhq {

double temperature(std::uint32_t iteration, std::uint32_t num_iterations) {
    return std::sqrt(1.0 - static_cast<double>(iteration) / num_iterations);
}

std::vector<double> noise_deviation(const CentredCodebooks& codebooks) {
    const std::size_t size = codebooks.codebook_size;
    const std::size_t dim = codebooks.dim;
    std::vector<double> deviation(dim, 0.0);
    for (std::size_t m = 0; m < codebooks.num_codebooks; ++m) {
        for (std::size_t d = 0; d < dim; ++d) {
            double sum = 0.0;
            double squares = 0.0;
            for (std::size_t k = 0; k < size; ++k) {
                const double value = codebooks.values[(m * size + k) * dim + d];
                sum += value;
                squares += value * value;
            }
            // The values are near mean zero already: nothing cancels.
            const double mean = sum / static_cast<double>(size);
            deviation[d] += std::max(squares / static_cast<double>(size) - mean * mean, 0.0);
        }
    }
    for (double& value : deviation) {
        value = std::sqrt(value);
    }
    return deviation;
}

std::vector<float> perturb_codebooks(CodebooksView codebooks, const std::vector<double>& deviation,
                                     double temperature, std::uint64_t seed,
                                     std::uint32_t iteration, Interrupt& interrupt) {
    const std::size_t dim = codebooks.dim;
    const std::size_t size = codebooks.codebook_size * dim;
    const double scale = temperature / static_cast<double>(codebooks.num_codebooks);
    std::vector<float> perturbed(codebooks.num_codebooks * size);
    std::vector<double> draws(size);
    for (std::size_t m = 0; m < codebooks.num_codebooks; ++m) {
        interrupt.throw_if_requested();
        random::normals(seed, random::Stream::codebook_noise, iteration,
                        static_cast<std::uint32_t>(m), size, draws.data());
        for (std::size_t i = 0; i < size; ++i) {
            perturbed[m * size + i] = static_cast<float>(codebooks.data[m * size + i] +
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

void perturb_vectors(VectorsView vectors, const std::vector<double>& deviation, double temperature,
                     std::uint64_t seed, std::uint32_t iteration, int threads, Interrupt& interrupt,
                     float* out) {
    const std::size_t dim = vectors.dim;
    threads = useful_threads(threads, vectors.num_vectors, vectors.num_vectors * dim * 64);
    std::vector<double> scratch(static_cast<std::size_t>(threads) * dim);
    for_each_contiguous(threads, vectors.num_vectors, [&](std::size_t n) {
        const auto thread = static_cast<std::size_t>(thread_number());
        if (interrupt.requested(thread == 0)) {
            return;
        }
        const std::uint64_t key = random::hash_bytes(vectors.row(n), dim * sizeof(float), seed);
        perturb_vector(vectors.row(n), deviation, temperature, key, iteration,
                       scratch.data() + thread * dim, out + n * dim);
    });
    interrupt.throw_if_requested();
}

}  // namespace wsdhq
