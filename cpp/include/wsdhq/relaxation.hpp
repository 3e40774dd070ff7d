// Stochastic relaxation (LSQ++; Martinez et al., ECCV 2018; method section 4).
//
// In iteration i of I, i = 1 .. I, the temperature is T(i) = sqrt(1 - i / I): 0 at the last. The
// noise has the deviation, per dimension, of a reconstruction whose codes are uniform and
// independent: sqrt(sum_m var_k C[m, k, d]). It is a function of the codebooks alone, so a code
// does not depend on which other vectors are encoded with it.
#pragma once

#include <cstdint>
#include <vector>

#include "wsdhq/tables.hpp"

namespace wsdhq {

enum class Relaxation { none, codebooks, data };

double temperature(std::uint32_t iteration, std::uint32_t num_iterations);

// Per dimension, sqrt(sum_m var_k C[m, k, d]).
std::vector<double> noise_deviation(const CentredCodebooks& codebooks);

// C + (T / M) e, the noise keyed by (seed, iteration, codebook, draw).
std::vector<float> perturb_codebooks(CodebooksView codebooks, const std::vector<double>& deviation,
                                     double temperature, std::uint64_t seed,
                                     std::uint32_t iteration, Interrupt& interrupt);

// x + T e for one centred vector into `out`, the noise keyed by (key, iteration, draw); `key` is
// the hash of the seed and the vector's own bytes. `scratch` holds dim draws.
void perturb_vector(const float* vector, const std::vector<double>& deviation, double temperature,
                    std::uint64_t key, std::uint32_t iteration, double* scratch, float* out);

// The same for all rows into `out` (num_vectors, dim), keyed by (seed, the row's own bytes,
// iteration, draw). Throws Cancelled.
void perturb_vectors(VectorsView vectors, const std::vector<double>& deviation, double temperature,
                     std::uint64_t seed, std::uint32_t iteration, int threads, Interrupt& interrupt,
                     float* out);

}  // namespace wsdhq
