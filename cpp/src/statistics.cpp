#include "wsdhq/statistics.hpp"

#include <algorithm>
#include <vector>

#include "parallel.hpp"

namespace wsdhq {
namespace {

constexpr std::size_t kDimBlock = 64;    // dimensions that one task sums
constexpr std::size_t kStretch = 65536;  // vectors between two looks at the interrupt

}  // namespace

void add_to_histogram(CodesView codes, std::size_t codebook_size, int threads, Interrupt& interrupt,
                      std::int64_t* histogram) {
    const std::size_t num_codebooks = codes.num_codebooks;
    const std::size_t num_codewords = num_codebooks * codebook_size;
    struct Pair {
        std::size_t first, second;
    };
    std::vector<Pair> pairs;
    for (std::size_t first = 0; first < num_codebooks; ++first) {
        for (std::size_t second = first; second < num_codebooks; ++second) {
            pairs.push_back({first, second});
        }
    }
    const auto count = static_cast<std::ptrdiff_t>(pairs.size());
    threads = useful_threads(threads, pairs.size(), codes.num_vectors * pairs.size());
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (std::ptrdiff_t task = 0; task < count; ++task) {
        const Pair pair = pairs[static_cast<std::size_t>(task)];
        std::int64_t* block =
            histogram + pair.first * codebook_size * num_codewords + pair.second * codebook_size;
        for (std::size_t begin = 0; begin < codes.num_vectors; begin += kStretch) {
            if (interrupt.requested(thread_number() == 0)) {
                break;
            }
            const std::size_t end = std::min(begin + kStretch, codes.num_vectors);
            for (std::size_t n = begin; n < end; ++n) {
                const std::uint8_t* code = codes.row(n);
                ++block[code[pair.first] * num_codewords + code[pair.second]];
            }
        }
    }
    interrupt.throw_if_requested();
    for (const Pair& pair : pairs) {
        if (pair.first == pair.second) {
            continue;
        }
        for (std::size_t k = 0; k < codebook_size; ++k) {
            for (std::size_t l = 0; l < codebook_size; ++l) {
                const std::size_t i = pair.first * codebook_size + k;
                const std::size_t j = pair.second * codebook_size + l;
                histogram[j * num_codewords + i] = histogram[i * num_codewords + j];
            }
        }
    }
}

void add_to_sums(VectorsView vectors, CodesView codes, std::size_t codebook_size, int threads,
                 Interrupt& interrupt, double* sums) {
    const std::size_t dim = vectors.dim;
    const std::size_t blocks = (dim + kDimBlock - 1) / kDimBlock;
    const std::size_t tasks = codes.num_codebooks * blocks;
    const auto count = static_cast<std::ptrdiff_t>(tasks);
    threads = useful_threads(threads, tasks, codes.num_vectors * codes.num_codebooks * dim);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (std::ptrdiff_t task = 0; task < count; ++task) {
        const std::size_t m = static_cast<std::size_t>(task) / blocks;
        const std::size_t first = static_cast<std::size_t>(task) % blocks * kDimBlock;
        const std::size_t last = std::min(first + kDimBlock, dim);
        for (std::size_t begin = 0; begin < codes.num_vectors; begin += kStretch) {
            if (interrupt.requested(thread_number() == 0)) {
                break;
            }
            const std::size_t end = std::min(begin + kStretch, codes.num_vectors);
            for (std::size_t n = begin; n < end; ++n) {
                double* out = sums + (m * codebook_size + codes.row(n)[m]) * dim;
                for (std::size_t d = first; d < last; ++d) {
                    out[d] += vectors.row(n)[d];
                }
            }
        }
    }
    interrupt.throw_if_requested();
}

}  // namespace wsdhq
