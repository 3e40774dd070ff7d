#include "wsdhq/encoder.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "base/parallel.hpp"
#include "encode/beam.hpp"
#include "encode/exact_start.hpp"
#include "encode/sweeps.hpp"
#include "wsdhq/random.hpp"

namespace wsdhq {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::infinity();
constexpr std::size_t kBlock = 32;     // vectors whose unary terms are held at once, per thread
constexpr std::size_t kChunk = 65536;  // vectors whose best codes are remembered at once
constexpr std::uint32_t kFinalSweeps = 100;  // a bound for safety: sweeps end long before it

// One in so many of a beam's codes is swept to its mode; the best end counts.
constexpr std::uint32_t kBeamPerMode = 8;
// Partial codes kept, at most, by a start in double: each costs M K D multiplications.
constexpr std::uint32_t kMaxExactWidth = 8;
// Table look-ups of a vector's start from which on one asks between vectors whether to stop, and
// not only between blocks: the clock is then nothing beside them.
constexpr std::size_t kSlowStart = 1 << 18;

}  // namespace

// What one thread needs. Nothing is allocated while vectors are encoded.
struct Encoder::Workspace {
    Workspace(const EncodingTables& tables, const EncodeSettings& settings, Interrupt& stop,
              bool of_caller)
        : interrupt(&stop),
          is_caller(of_caller),
          polls_between_vectors(of_caller && is_slow(tables, settings)),
          sweeps(tables, kBlock),
          beam(settings.beam_width > 0 ? BeamSearch::make(tables, settings.beam_width) : nullptr),
          exact_start(tables, std::clamp(settings.beam_width, 1u, kMaxExactWidth)),
          orders(settings.seed, tables.num_codebooks()),
          centred(kBlock * tables.dim()),
          perturbed(kBlock * tables.dim()),
          draws(3 * tables.dim()),
          code(tables.num_codebooks()) {}

    Interrupt* interrupt;
    bool is_caller;
    bool polls_between_vectors;
    BlockSweeps sweeps;
    std::unique_ptr<BeamSearch> beam;
    ExactStart exact_start;
    SweepOrders orders;
    std::vector<float> centred;
    std::vector<float> perturbed;
    std::vector<double> draws;
    std::vector<std::uint8_t> code;

    static bool is_slow(const EncodingTables& tables, const EncodeSettings& settings) {
        const std::size_t rows = tables.num_codebooks() * tables.num_codebooks();
        return rows * tables.codebook_size() * std::max(settings.beam_width, 1u) >= kSlowStart;
    }

    void centre(const VectorsView& vectors, std::size_t first, std::size_t last,
                const std::vector<double>& shift) {
        for (std::size_t n = first; n < last; ++n) {
            float* out = centred.data() + (n - first) * vectors.dim;
            for (std::size_t d = 0; d < vectors.dim; ++d) {
                out[d] = static_cast<float>(vectors.row(n)[d] - shift[d]);
            }
        }
    }

    // Sweeps `code` of vector n of the block until nothing changes, at most `most` times. Asks
    // whether to stop: where every decision is taken in double, a block takes many seconds.
    void sweep_to_mode(std::size_t n, std::uint32_t first_sweep, std::uint32_t most,
                       const kernels::EncodeKernels& kernels, std::uint8_t* code_of_n) {
        for (std::uint32_t sweep = 0; sweep < most; ++sweep) {
            if ((sweep > 0 && interrupt->requested(is_caller)) ||
                sweeps.exact_sweep(n, orders.of(first_sweep + sweep), kernels, code_of_n) == 0) {
                break;
            }
        }
    }
};

// One run of vectors and the best code of each, seen so far under the true codebooks.
struct Encoder::Chunk {
    VectorsView vectors;
    std::uint8_t* best;
    std::vector<double> best_objective;
    std::vector<std::uint8_t> current;  // where the walk of the relaxation is

    // Keeps the code if it is better than the best.
    void offer(std::size_t n, const std::uint8_t* code, double objective, std::size_t bytes) {
        if (objective < best_objective[n]) {
            best_objective[n] = objective;
            std::memcpy(best + n * bytes, code, bytes);
        }
    }
    // The same for a code that was swept, of the vector in row `row` of the block. As good is good
    // enough: what it ties with may be no mode.
    void offer_swept(std::size_t n, const std::uint8_t* code, BlockSweeps& sweeps,
                     std::size_t row) {
        const std::size_t bytes = sweeps.tables().num_codebooks();
        if (std::memcmp(best + n * bytes, code, bytes) == 0 && best_objective[n] != kUnknown) {
            return;
        }
        const double objective = sweeps.objective(row, code);
        if (objective <= best_objective[n]) {
            best_objective[n] = objective;
            std::memcpy(best + n * bytes, code, bytes);
        }
    }
};

Encoder::Encoder(CodebooksView codebooks, const float* metric, const kernels::KernelTable& kernels,
                 int threads, Interrupt& interrupt)
    : centred_(codebooks),
      metric_(metric, metric == nullptr ? nullptr : metric + codebooks.dim * codebooks.dim),
      tables_(centred_.view(), metric, kernels, threads, interrupt),
      deviation_(noise_deviation(centred_)) {}

// A start and a thread's part of it: vector n of the chunk, in row `row` of the block.
struct Encoder::Start {
    Chunk& chunk;
    Workspace& work;
    const kernels::EncodeKernels& kernels;
    std::uint32_t beam_width;
    std::uint32_t max_sweeps;
    std::size_t n;
    std::size_t row;

    std::size_t bytes() const { return work.code.size(); }
    std::uint8_t* best() const { return chunk.best + n * bytes(); }

    // Sweeps the code in `work.code`, and keeps it if it is as good as the best.
    void sweep_and_offer() const {
        work.sweep_to_mode(row, 1, max_sweeps, kernels, work.code.data());
        chunk.offer_swept(n, work.code.data(), work.sweeps, row);
    }

    void from_the_given_code() const {
        std::memcpy(work.code.data(), best(), bytes());
        chunk.best_objective[n] = work.sweeps.objective(row, work.code.data());
        sweep_and_offer();
    }

    void from_the_beam(bool warm) const {
        const std::size_t modes = work.beam->search(
            work.sweeps.unary(row), (beam_width + kBeamPerMode - 1) / kBeamPerMode, kernels);
        const bool is_only = modes == 1 && !warm && chunk.current.empty();
        for (std::size_t i = 0; i < modes && !work.interrupt->requested(false); ++i) {
            std::memcpy(work.code.data(), work.beam->take(), bytes());
            if (is_only) {
                work.sweep_to_mode(row, 1, max_sweeps, kernels, work.code.data());
                std::memcpy(best(), work.code.data(), bytes());  // nothing to compare with
            } else {
                sweep_and_offer();
            }
        }
    }

    // Where a sweep leaves too much to double, what the whole numbers found may be far off.
    void in_double_if_coarse(std::size_t dim) const {
        if (max_sweeps == 0) {
            std::memcpy(work.code.data(), best(), bytes());
            work.sweeps.exact_sweep(row, work.orders.of(1), kernels, work.code.data());
        }
        if (!work.sweeps.was_coarse()) {
            return;
        }
        if (chunk.best_objective[n] == kUnknown) {
            chunk.best_objective[n] = work.sweeps.objective(row, best());
        }
        work.exact_start.search(work.centred.data() + row * dim, work.code.data());
        sweep_and_offer();
    }
};

void Encoder::start_block(Chunk& chunk, Block block, bool warm, Workspace& work,
                          const EncodeSettings& settings,
                          const kernels::EncodeKernels& kernels) const {
    const std::size_t bytes = num_codebooks();
    work.centre(chunk.vectors, block.first, block.last, centred_.shift);
    work.sweeps.load(work.centred.data(), block.last - block.first, kernels);
    for (std::size_t n = block.first; n < block.last; ++n) {
        if (work.interrupt->requested(work.polls_between_vectors)) {
            break;
        }
        const Start start{
            chunk, work,           kernels, settings.beam_width, sweeps_of_start(settings),
            n,     n - block.first};
        chunk.best_objective[n] = kUnknown;
        if (warm) {
            start.from_the_given_code();
        }
        if (settings.beam_width > 0) {
            start.from_the_beam(warm);
            start.in_double_if_coarse(dim());
        }
        if (!chunk.current.empty()) {
            std::memcpy(chunk.current.data() + n * bytes, chunk.best + n * bytes, bytes);
        }
    }
}

void Encoder::relaxed_block(Chunk& chunk, Block block, BlockSweeps& relaxed,
                            std::uint32_t iteration, Workspace& work,
                            const EncodeSettings& settings,
                            const kernels::EncodeKernels& kernels) const {
    const auto [first, last] = block;
    const std::size_t bytes = num_codebooks();
    work.centre(chunk.vectors, first, last, centred_.shift);
    const float* swept = work.centred.data();
    if (settings.relaxation == Relaxation::data) {
        const double heat = temperature(iteration, settings.iterations);
        for (std::size_t n = first; n < last; ++n) {
            const std::uint64_t key =
                random::hash_bytes(chunk.vectors.row(n), dim() * sizeof(float), settings.seed);
            perturb_vector(swept + (n - first) * dim(), deviation_, heat, key, iteration,
                           work.draws.data(), work.perturbed.data() + (n - first) * dim());
        }
        swept = work.perturbed.data();
    }
    relaxed.load(swept, last - first, kernels);
    for (std::size_t n = first; n < last; ++n) {
        if (work.interrupt->requested(work.polls_between_vectors)) {
            break;
        }
        std::uint8_t* code = chunk.current.data() + n * bytes;
        relaxed.sweep(n - first, work.orders.of(iteration), kernels, code);
        const double objective =
            tables_.objective(work.centred.data() + (n - first) * dim(), code, work.draws.data());
        chunk.offer(n, code, objective, bytes);
    }
}

void Encoder::finish_block(Chunk& chunk, Block block, Workspace& work,
                           const EncodeSettings& settings,
                           const kernels::EncodeKernels& kernels) const {
    const auto [first, last] = block;
    const std::size_t bytes = num_codebooks();
    work.centre(chunk.vectors, first, last, centred_.shift);
    work.sweeps.load(work.centred.data(), last - first, kernels);
    for (std::size_t n = first; n < last && !work.interrupt->requested(false); ++n) {
        // From where the walk ended, and from the best that it saw.
        std::memcpy(work.code.data(), chunk.best + n * bytes, bytes);
        for (std::uint8_t* code : {chunk.current.data() + n * bytes, work.code.data()}) {
            work.sweep_to_mode(n - first, settings.iterations, kFinalSweeps, kernels, code);
            chunk.offer_swept(n, code, work.sweeps, n - first);
        }
    }
}

// Without relaxation the sweeps asked for; with it none, as its iterations are the sweeps.
std::uint32_t Encoder::sweeps_of_start(const EncodeSettings& settings) {
    if (settings.relaxation == Relaxation::none) {
        return settings.iterations;
    }
    return settings.iterations == 1 ? kFinalSweeps : 0;
}

void Encoder::encode(VectorsView vectors, bool warm, const EncodeSettings& wanted,
                     const kernels::KernelTable& kernels, Interrupt& interrupt,
                     std::uint8_t* codes) const {
    EncodeSettings settings = wanted;
    if (!warm) {
        settings.beam_width = std::max(settings.beam_width, 1u);
    }
    const std::size_t bytes = num_codebooks();
    const int threads = useful_threads(
        settings.threads, (vectors.num_vectors + kBlock - 1) / kBlock,
        vectors.num_vectors * bytes * codebook_size() * (dim() / 8 + settings.beam_width));
    std::vector<Workspace> workspaces;
    workspaces.reserve(static_cast<std::size_t>(threads));
    for (int thread = 0; thread < threads; ++thread) {
        workspaces.emplace_back(tables_, settings, interrupt, thread == 0);
    }
    const bool relaxed = settings.relaxation != Relaxation::none && settings.iterations > 1;
    interrupt.expect(vectors.num_vectors * (relaxed ? settings.iterations + std::size_t{1} : 1));
    for (std::size_t begin = 0; begin < vectors.num_vectors; begin += kChunk) {
        const std::size_t taken = std::min(kChunk, vectors.num_vectors - begin);
        if (!warm) {
            // So that a vector that no code is better for than another, as one that turns into NaN
            // while it is read, has a code all the same.
            std::fill_n(codes + begin * bytes, taken * bytes, std::uint8_t{0});
        }
        Chunk chunk{{vectors.row(begin), taken, vectors.dim},
                    codes + begin * bytes,
                    std::vector<double>(taken),
                    std::vector<std::uint8_t>(relaxed ? taken * bytes : 0)};
        encode_chunk(chunk, warm, workspaces, settings, kernels, interrupt);
    }
}

void Encoder::encode_chunk(Chunk& chunk, bool warm, std::vector<Workspace>& workspaces,
                           const EncodeSettings& settings, const kernels::KernelTable& kernels,
                           Interrupt& interrupt) const {
    const auto threads = static_cast<int>(workspaces.size());
    const std::size_t count = chunk.vectors.num_vectors;
    const auto for_each_block = [&](auto&& body) {
        for_each_piece(threads, (count + kBlock - 1) / kBlock, [&](std::size_t number) {
            const int thread = thread_number();
            if (!interrupt.requested(thread == 0)) {
                const std::size_t first = number * kBlock;
                const Block block{first, std::min(first + kBlock, count)};
                body(block, static_cast<std::size_t>(thread));
                interrupt.advance(block.last - block.first);
            }
        });
        interrupt.throw_if_requested();
    };
    for_each_block([&](Block block, std::size_t thread) {
        start_block(chunk, block, warm, workspaces[thread], settings, kernels.encode);
    });
    if (chunk.current.empty()) {
        return;
    }
    for (std::uint32_t i = 1; i < settings.iterations; ++i) {
        if (settings.relaxation == Relaxation::data) {
            for_each_block([&](Block block, std::size_t thread) {
                Workspace& work = workspaces[thread];
                relaxed_block(chunk, block, work.sweeps, i, work, settings, kernels.encode);
            });
            continue;
        }
        const std::vector<float> perturbed =
            perturb_codebooks(centred_.view(), deviation_, temperature(i, settings.iterations),
                              settings.seed, i, interrupt);
        const EncodingTables tables({perturbed.data(), num_codebooks(), codebook_size(), dim()},
                                    metric(), kernels, threads, interrupt);
        std::vector<BlockSweeps> sweeps(static_cast<std::size_t>(threads),
                                        BlockSweeps(tables, kBlock));
        for_each_block([&](Block block, std::size_t thread) {
            relaxed_block(chunk, block, sweeps[thread], i, workspaces[thread], settings,
                          kernels.encode);
        });
    }
    for_each_block([&](Block block, std::size_t thread) {
        finish_block(chunk, block, workspaces[thread], settings, kernels.encode);
    });
}

}  // namespace wsdhq
