#include "wsdhq/icm.hpp"

#include <algorithm>
#include <cstring>

#include "parallel.hpp"
#include "wsdhq/random.hpp"

namespace wsdhq {
namespace {

constexpr std::size_t kBlock = 32;     // vectors whose unary terms are held at once, per thread
constexpr std::size_t kChunk = 65536;  // vectors whose best codes are remembered at once
constexpr std::uint32_t kFinalSweeps = 100;  // a bound for safety: sweeps end long before it

// The best of each codebook given those before it: residual quantisation with the tables.
void greedy_code(const float* unary, const EncodingTables& tables, float* costs,
                 std::uint8_t* code) {
    const std::size_t size = tables.codebook_size;
    const std::size_t num_codewords = tables.num_codebooks * size;
    for (std::size_t m = 0; m < tables.num_codebooks; ++m) {
        std::copy(unary + m * size, unary + (m + 1) * size, costs);
        for (std::size_t other = 0; other < m; ++other) {
            const float* row =
                tables.pairwise.data() + (other * size + code[other]) * num_codewords + m * size;
            for (std::size_t k = 0; k < size; ++k) {
                costs[k] += row[k];
            }
        }
        code[m] = static_cast<std::uint8_t>(std::min_element(costs, costs + size) - costs);
    }
}

}  // namespace

// One run of vectors and what is remembered about each between iterations.
struct Encoder::Chunk {
    VectorsView vectors;
    std::uint8_t* codes;             // current
    std::vector<std::uint8_t> best;  // the best seen under the true codebooks, the start at first
    std::vector<double> best_objective;
    bool warm;
    std::size_t num_codebooks;

    std::uint8_t* code(std::size_t n) const { return codes + n * num_codebooks; }
    std::uint8_t* best_code(std::size_t n) { return best.data() + n * num_codebooks; }
};

struct Encoder::Workspace {
    explicit Workspace(const EncodingTables& tables)
        : centred(kBlock * tables.dim),
          perturbed(kBlock * tables.dim),
          unary(kBlock * tables.num_codebooks * tables.codebook_size),
          costs(tables.codebook_size),
          draws(tables.dim),
          order(tables.num_codebooks) {}

    std::vector<float> centred;
    std::vector<float> perturbed;
    std::vector<float> unary;
    std::vector<float> costs;
    std::vector<double> draws;
    std::vector<std::uint32_t> order;

    void centre(const VectorsView& vectors, std::size_t first, std::size_t last,
                const std::vector<double>& shift) {
        for (std::size_t n = first; n < last; ++n) {
            float* out = centred.data() + (n - first) * vectors.dim;
            for (std::size_t d = 0; d < vectors.dim; ++d) {
                out[d] = static_cast<float>(vectors.row(n)[d] - shift[d]);
            }
        }
    }
};

Encoder::Encoder(CodebooksView codebooks, const float* metric, const kernels::KernelTable& kernels,
                 int threads)
    : centred_(codebooks),
      metric_(metric, metric == nullptr ? nullptr : metric + codebooks.dim * codebooks.dim),
      tables_(centred_.view(), metric, kernels, threads),
      deviation_(noise_deviation(centred_)) {}

void Encoder::load_block(const Chunk& chunk, std::size_t first, std::size_t last, Workspace& work,
                         const kernels::KernelTable& kernels) const {
    work.centre(chunk.vectors, first, last, centred_.shift);
    tables_.unary(work.centred.data(), last - first, kernels, work.unary.data());
}

void Encoder::start_block(Chunk& chunk, std::size_t first, std::size_t last, Workspace& work,
                          const kernels::KernelTable& kernels) const {
    load_block(chunk, first, last, work, kernels);
    const std::size_t num_codewords = tables_.num_codebooks * tables_.codebook_size;
    for (std::size_t n = first; n < last; ++n) {
        if (!chunk.warm) {
            greedy_code(work.unary.data() + (n - first) * num_codewords, tables_, work.costs.data(),
                        chunk.code(n));
        }
        std::memcpy(chunk.best_code(n), chunk.code(n), tables_.num_codebooks);
        chunk.best_objective[n] =
            tables_.objective(work.centred.data() + (n - first) * tables_.dim, chunk.code(n));
    }
}

void Encoder::sweep_block(Chunk& chunk, std::size_t first, std::size_t last,
                          const EncodingTables& tables, std::uint32_t iteration, Workspace& work,
                          const EncodeSettings& settings,
                          const kernels::KernelTable& kernels) const {
    work.centre(chunk.vectors, first, last, centred_.shift);
    const float* swept = work.centred.data();
    if (settings.relaxation == Relaxation::data) {
        const double heat = temperature(iteration, settings.iterations);
        for (std::size_t n = first; n < last; ++n) {
            const std::uint64_t key =
                random::hash_bytes(chunk.vectors.row(n), tables.dim * sizeof(float), settings.seed);
            perturb_vector(swept + (n - first) * tables.dim, deviation_, heat, key, iteration,
                           work.draws.data(), work.perturbed.data() + (n - first) * tables.dim);
        }
        swept = work.perturbed.data();
    }
    tables.unary(swept, last - first, kernels, work.unary.data());
    random::permutation(settings.seed, iteration, tables.num_codebooks, work.order.data());
    const std::size_t num_codewords = tables.num_codebooks * tables.codebook_size;
    for (std::size_t n = first; n < last; ++n) {
        kernels.encode.icm_sweep(work.unary.data() + (n - first) * num_codewords,
                                 tables.pairwise.data(), tables.num_codebooks, tables.codebook_size,
                                 work.order.data(), work.costs.data(), chunk.code(n));
        const double objective =
            tables_.objective(work.centred.data() + (n - first) * tables_.dim, chunk.code(n));
        if (objective < chunk.best_objective[n]) {
            chunk.best_objective[n] = objective;
            std::memcpy(chunk.best_code(n), chunk.code(n), tables_.num_codebooks);
        }
    }
}

void Encoder::finish_block(Chunk& chunk, std::size_t first, std::size_t last, Workspace& work,
                           const EncodeSettings& settings,
                           const kernels::KernelTable& kernels) const {
    const std::size_t num_codewords = tables_.num_codebooks * tables_.codebook_size;
    const std::size_t bytes = tables_.num_codebooks;
    const bool relaxed = settings.relaxation != Relaxation::none;
    const std::uint32_t most = relaxed ? kFinalSweeps : settings.iterations;
    const auto sweep_to_mode = [&](std::size_t n, std::uint8_t* code) {
        for (std::uint32_t sweep = 0; sweep < most; ++sweep) {
            // Relaxed sweeps were iterations 1 .. I - 1 of the schedule: the order goes on.
            random::permutation(settings.seed, relaxed ? settings.iterations + sweep : sweep + 1,
                                bytes, work.order.data());
            if (kernels.encode.icm_sweep(work.unary.data() + (n - first) * num_codewords,
                                         tables_.pairwise.data(), tables_.num_codebooks,
                                         tables_.codebook_size, work.order.data(),
                                         work.costs.data(), code) == 0) {
                break;
            }
        }
        return tables_.objective(work.centred.data() + (n - first) * tables_.dim, code);
    };
    for (std::size_t n = first; n < last; ++n) {
        std::uint8_t* code = chunk.code(n);
        double objective = sweep_to_mode(n, code);
        if (relaxed && chunk.best_objective[n] < objective) {
            // The walk saw something better than the mode it ended in: end in that one's mode.
            std::memcpy(code, chunk.best_code(n), bytes);
            objective = sweep_to_mode(n, code);
        }
        if (chunk.best_objective[n] < objective) {
            std::memcpy(code, chunk.best_code(n), bytes);
        }
    }
}

void Encoder::encode(VectorsView vectors, bool warm, const EncodeSettings& settings,
                     const kernels::KernelTable& kernels, Interrupt& interrupt,
                     std::uint8_t* codes) const {
    const std::size_t num_codebooks = tables_.num_codebooks;
    const int threads =
        useful_threads(settings.threads, (vectors.num_vectors + kBlock - 1) / kBlock,
                       vectors.num_vectors * num_codebooks * tables_.codebook_size * tables_.dim);
    std::vector<Workspace> workspaces(static_cast<std::size_t>(threads), Workspace(tables_));
    for (std::size_t begin = 0; begin < vectors.num_vectors; begin += kChunk) {
        const std::size_t taken = std::min(kChunk, vectors.num_vectors - begin);
        Chunk chunk{{vectors.row(begin), taken, vectors.dim},
                    codes + begin * num_codebooks,
                    std::vector<std::uint8_t>(taken * num_codebooks),
                    std::vector<double>(taken),
                    warm,
                    num_codebooks};
        const auto for_each_block = [&](auto&& body) {
            const auto end = static_cast<std::ptrdiff_t>(taken);
            constexpr auto step = static_cast<std::ptrdiff_t>(kBlock);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
            for (std::ptrdiff_t first = 0; first < end; first += step) {
                const int thread = thread_number();
                if (!interrupt.requested(thread == 0)) {
                    body(static_cast<std::size_t>(first),
                         static_cast<std::size_t>(std::min(first + step, end)),
                         workspaces[static_cast<std::size_t>(thread)]);
                }
            }
            interrupt.throw_if_requested();
        };
        const bool relaxed = settings.relaxation != Relaxation::none && settings.iterations > 1;
        for_each_block([&](std::size_t first, std::size_t last, Workspace& work) {
            start_block(chunk, first, last, work, kernels);
            if (!relaxed && settings.iterations > 0) {
                finish_block(chunk, first, last, work, settings, kernels);
            }
        });
        for (std::uint32_t i = 1; relaxed && i < settings.iterations; ++i) {
            if (settings.relaxation == Relaxation::codebooks) {
                const std::vector<float> perturbed = perturb_codebooks(
                    centred_, deviation_, temperature(i, settings.iterations), settings.seed, i);
                const EncodingTables tables(
                    {perturbed.data(), num_codebooks, tables_.codebook_size, tables_.dim}, metric(),
                    kernels, threads);
                for_each_block([&](std::size_t first, std::size_t last, Workspace& work) {
                    sweep_block(chunk, first, last, tables, i, work, settings, kernels);
                });
            } else {
                for_each_block([&](std::size_t first, std::size_t last, Workspace& work) {
                    sweep_block(chunk, first, last, tables_, i, work, settings, kernels);
                });
            }
        }
        if (relaxed) {
            for_each_block([&](std::size_t first, std::size_t last, Workspace& work) {
                load_block(chunk, first, last, work, kernels);
                finish_block(chunk, first, last, work, settings, kernels);
            });
        }
    }
}

}  // namespace wsdhq
