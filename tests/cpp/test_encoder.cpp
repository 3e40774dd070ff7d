// Codes of the encoder beside the objective itself, taken in double from vectors and codewords.
#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "wsdhq/cpu.hpp"
#include "wsdhq/encoder.hpp"

using namespace wsdhq;

namespace {

struct Problem {
    std::size_t n, dim, m, k;
    std::vector<float> vectors, codebooks, metric;

    Problem(std::size_t n_, std::size_t dim_, std::size_t m_, std::size_t k_)
        : n(n_), dim(dim_), m(m_), k(k_), metric(dim_ * dim_) {
        test::Numbers numbers(n * 31 + dim * 7 + m * 3 + k);
        vectors = numbers.values(n * dim);
        codebooks = numbers.values(m * k * dim);
        const auto factor = numbers.values(dim * dim);
        for (std::size_t i = 0; i < dim; ++i) {
            for (std::size_t j = 0; j < dim; ++j) {
                for (std::size_t l = 0; l < dim; ++l) {
                    metric[i * dim + j] += factor[i * dim + l] * factor[j * dim + l];
                }
            }
        }
    }

    std::vector<std::uint8_t> encode(const EncodeSettings& settings, const float* with_metric,
                                     const std::vector<std::uint8_t>* start = nullptr) const {
        return encode_at(active_kernels(), settings, with_metric, start);
    }

    std::vector<std::uint8_t> encode_at(const kernels::KernelTable& level,
                                        const EncodeSettings& settings, const float* with_metric,
                                        const std::vector<std::uint8_t>* start = nullptr) const {
        Interrupt interrupt;
        const Encoder encoder({codebooks.data(), m, k, dim}, with_metric, level, settings.threads,
                              interrupt);
        std::vector<std::uint8_t> codes(n * m);
        if (start != nullptr) {
            codes = *start;
        }
        encoder.encode({vectors.data(), n, dim}, start != nullptr, settings, level, interrupt,
                       codes.data());
        return codes;
    }

    double objective(const std::uint8_t* code, std::size_t row, const float* with_metric) const {
        std::vector<double> error(dim);
        for (std::size_t d = 0; d < dim; ++d) {
            error[d] = vectors[row * dim + d];
            for (std::size_t j = 0; j < m; ++j) {
                error[d] -= codebooks[(j * k + code[j]) * dim + d];
            }
        }
        double sum = 0.0;
        for (std::size_t i = 0; i < dim; ++i) {
            for (std::size_t j = 0; j < dim; ++j) {
                if (with_metric != nullptr) {
                    sum += error[i] * with_metric[i * dim + j] * error[j];
                } else if (i == j) {
                    sum += error[i] * error[j];
                }
            }
        }
        return sum;
    }
};

// A problem whose every value is a small whole number times a power of two: all that the encoder
// and the test compute in double is then exact, and equal costs are equal.
struct ExactProblem : Problem {
    ExactProblem(std::size_t n_, std::size_t dim_, std::size_t m_, std::size_t k_, int largest,
                 int exponent = 0)
        : Problem(n_, dim_, m_, k_) {
        for (auto* values : {&vectors, &codebooks}) {
            for (float& value : *values) {
                value = static_cast<float>(
                    std::ldexp(std::nearbyint(value * static_cast<float>(largest)), exponent));
            }
        }
        for (std::size_t i = 0; i < dim; ++i) {
            for (std::size_t j = 0; j < dim; ++j) {
                metric[i * dim + j] = i == j ? 6.0f : i + 1 == j || j + 1 == i ? -2.0f : 0.0f;
            }
        }
    }

    // Whether no change of one codeword makes the objective less, and, with `lowest`, none of a
    // lower index leaves it equal.
    bool is_mode(const std::uint8_t* code, std::size_t row, const float* with_metric,
                 bool lowest) const {
        const double reached = objective(code, row, with_metric);
        std::vector<std::uint8_t> other(code, code + m);
        for (std::size_t j = 0; j < m; ++j) {
            for (std::size_t word = 0; word < k; ++word) {
                other[j] = static_cast<std::uint8_t>(word);
                const double cost = objective(other.data(), row, with_metric);
                if (cost < reached || (lowest && cost == reached && word < code[j])) {
                    return false;
                }
            }
            other[j] = code[j];
        }
        return true;
    }

    // Codes at every level of the machine and for one and three threads, which must agree.
    std::vector<std::uint8_t> encode_everywhere(
        EncodeSettings settings, const float* with_metric,
        const std::vector<std::uint8_t>* start = nullptr) const {
        settings.threads = 1;
        const auto codes =
            encode_at(*kernels::supported_kernels()[0], settings, with_metric, start);
        for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
            for (const int threads : {1, 3}) {
                settings.threads = threads;
                WSDHQ_CHECK(encode_at(**level, settings, with_metric, start) == codes);
            }
        }
        return codes;
    }

    // What a relaxed walk may end with. Of codes with equal objectives it keeps the one that it
    // saw first, from which an equal one, and then a better one, may be a step away.
    enum class Kept { mode, first_of_equals };

    // Cold and warm starts by several settings: modes, and not above their starts.
    void check_modes(const float* with_metric, Kept kept = Kept::mode) const {
        test::Numbers numbers(3);
        const auto start = numbers.codes(n * m, k);
        for (const std::uint32_t beam : {1u, 4u, 24u}) {
            const auto codes = encode_everywhere({100, Relaxation::none, 5, 1, beam}, with_metric);
            for (std::size_t row = 0; row < n; ++row) {
                // Of several ends the better one is kept: a mode, too, but perhaps not the lowest.
                WSDHQ_CHECK(is_mode(codes.data() + row * m, row, with_metric, beam == 1));
            }
        }
        for (const auto relaxation : {Relaxation::none, Relaxation::codebooks, Relaxation::data}) {
            for (const std::uint32_t beam : {0u, 1u, 16u}) {
                const std::uint32_t iterations = relaxation == Relaxation::none ? 100 : 3;
                const auto codes =
                    encode_everywhere({iterations, relaxation, 5, 1, beam}, with_metric, &start);
                for (std::size_t row = 0; row < n; ++row) {
                    const std::uint8_t* code = codes.data() + row * m;
                    WSDHQ_CHECK(is_mode(code, row, with_metric, false) ||
                                (kept == Kept::first_of_equals && relaxation != Relaxation::none));
                    WSDHQ_CHECK(objective(code, row, with_metric) <=
                                objective(start.data() + row * m, row, with_metric));
                }
            }
        }
    }
};

}  // namespace

WSDHQ_CASE(codes_do_not_depend_on_threads_and_never_get_worse) {
    for (const auto relaxation : {Relaxation::none, Relaxation::codebooks, Relaxation::data}) {
        for (const bool with_metric : {false, true}) {
            const Problem problem(133, 11, 3, 29);
            const float* metric = with_metric ? problem.metric.data() : nullptr;
            test::Numbers numbers(9);
            const auto start = numbers.codes(problem.n * problem.m, problem.k);
            EncodeSettings settings{5, relaxation, 3, 1};
            const auto one = problem.encode(settings, metric, &start);
            settings.threads = 3;
            WSDHQ_CHECK(problem.encode(settings, metric, &start) == one);
            for (std::size_t n = 0; n < problem.n; ++n) {
                const double before = problem.objective(start.data() + n * problem.m, n, metric);
                const double after = problem.objective(one.data() + n * problem.m, n, metric);
                WSDHQ_CHECK(after <= before + 1e-5 * (1.0 + before));
            }
        }
    }
}

WSDHQ_CASE(every_ragged_size_is_encoded) {
    for (const std::size_t n : {0, 1, 31, 33}) {
        for (const std::size_t dim : {1, 3, 16}) {
            for (const std::size_t m : {1, 2, 5}) {
                for (const std::size_t k : {1, 2, 17, 256}) {
                    const Problem problem(n, dim, m, k);
                    const auto codes = problem.encode({3, Relaxation::codebooks, 1, 2}, nullptr);
                    for (const std::uint8_t code : codes) {
                        WSDHQ_CHECK(code < k);
                    }
                }
            }
        }
    }
}

WSDHQ_CASE(a_poll_that_asks_to_stop_stops_the_encoder) {
    const Problem problem(40000, 24, 4, 128);
    const auto& level = active_kernels();
    Interrupt without_poll;
    const Encoder encoder({problem.codebooks.data(), problem.m, problem.k, problem.dim}, nullptr,
                          level, 2, without_poll);
    std::vector<std::uint8_t> codes(problem.n * problem.m);
    Interrupt interrupt([] { return true; });
    bool stopped = false;
    try {
        encoder.encode({problem.vectors.data(), problem.n, problem.dim}, false,
                       {1000, Relaxation::data, 1, 2}, level, interrupt, codes.data());
    } catch (const Cancelled&) {
        stopped = true;
    }
    WSDHQ_CHECK(stopped);
}

WSDHQ_CASE(codes_are_modes_of_the_true_objective) {
    for (const std::size_t dim : {1, 2, 5, 24}) {
        for (const std::size_t m : {1, 2, 4, 9}) {
            for (const std::size_t k : {1, 2, 16, 37}) {
                ExactProblem(7, dim, m, k, 200).check_modes(nullptr);
            }
        }
    }
    const ExactProblem problem(33, 6, 3, 256, 200);
    problem.check_modes(problem.metric.data());
}

// Few different values: most codewords are as good as another.
WSDHQ_CASE(ties_are_modes_of_the_lowest_index) {
    for (const int largest : {1, 3}) {
        for (const std::size_t k : {5, 64}) {
            const ExactProblem problem(9, 3, 4, k, largest);
            problem.check_modes(nullptr, ExactProblem::Kept::first_of_equals);
            problem.check_modes(problem.metric.data(), ExactProblem::Kept::first_of_equals);
        }
    }
}

WSDHQ_CASE(codes_are_modes_at_any_scale) {
    // The least is 2^-140: floats without all their bits; 2^43 times 200 is near 1e15.
    for (const int exponent : {43, 100, -20, -60, -110, -120, -126, -133, -140}) {
        for (const std::size_t m : {1, 3}) {
            const ExactProblem problem(6, 5, m, 19, 200, exponent);
            problem.check_modes(nullptr);
            problem.check_modes(problem.metric.data());
        }
    }
}

WSDHQ_CASE(codes_are_modes_with_wide_tables) {
    for (const std::size_t m : {2, 4, 9}) {
        ExactProblem problem(8, 20, m, 33, 200);
        for (const std::size_t book : {0, 1}) {
            // Two opposite ones, so that the mean stays where it is.
            float* codeword = problem.codebooks.data() + (book * problem.k + 5) * problem.dim;
            for (std::size_t d = 0; d < problem.dim; ++d) {
                codeword[d] *= 300.0f;
                codeword[problem.dim + d] = -codeword[d];
            }
        }
        const CentredCodebooks centred({problem.codebooks.data(), m, problem.k, problem.dim});
        Interrupt interrupt;
        WSDHQ_CHECK(
            !EncodingTables(centred.view(), nullptr, active_kernels(), 1, interrupt).is_narrow());
        problem.check_modes(nullptr);
        problem.check_modes(problem.metric.data());
    }
}

WSDHQ_CASE(vectors_far_from_the_codebooks_are_encoded_in_double) {
    ExactProblem problem(12, 6, 4, 21, 200);
    for (std::size_t i = 0; i < problem.vectors.size(); ++i) {
        // From just beyond what fits to where whole numbers would tell nothing.
        problem.vectors[i] *= static_cast<float>(1u << (i / problem.dim));
    }
    problem.check_modes(nullptr);
    problem.check_modes(problem.metric.data());
}

WSDHQ_CASE(codebooks_of_zeros_are_encoded) {
    ExactProblem problem(5, 6, 3, 21, 200);
    for (const bool all : {false, true}) {
        for (std::size_t i = 0; i < problem.codebooks.size(); ++i) {
            // One codebook, then all of them.
            const bool here = all || i / (problem.k * problem.dim) == 1;
            problem.codebooks[i] = here ? 0.0f : problem.codebooks[i];
        }
        problem.check_modes(nullptr);
        problem.check_modes(problem.metric.data());
    }
    std::fill(problem.vectors.begin(), problem.vectors.end(), 0.0f);
    problem.check_modes(nullptr);
    ExactProblem zeros(5, 6, 3, 21, 200);
    std::fill(zeros.vectors.begin(), zeros.vectors.end(), 0.0f);
    zeros.check_modes(nullptr);
}

WSDHQ_CASE(a_metric_of_zeros_and_one_of_lower_rank_are_encoded) {
    ExactProblem problem(5, 6, 3, 21, 200);
    std::fill(problem.metric.begin(), problem.metric.end(), 0.0f);
    problem.check_modes(problem.metric.data());
    problem.metric[0] = 1.0f;
    problem.check_modes(problem.metric.data());
}

// The values need not be exact for levels and threads to agree.
WSDHQ_CASE(every_level_gives_the_same_codes) {
    for (const bool with_metric : {false, true}) {
        const Problem problem(300, 19, 8, 100);
        const float* metric = with_metric ? problem.metric.data() : nullptr;
        for (const auto relaxation : {Relaxation::none, Relaxation::codebooks, Relaxation::data}) {
            for (const std::uint32_t beam : {1u, 20u}) {
                const EncodeSettings settings{3, relaxation, 3, 1, beam};
                const auto scalar = problem.encode(settings, metric);
                for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
                    WSDHQ_CHECK(problem.encode_at(**level, settings, metric) == scalar);
                }
            }
        }
    }
}

// Codes of wider beams are better: what the width is for.
WSDHQ_CASE(wider_beams_find_better_codes) {
    const Problem problem(200, 16, 6, 64);
    double before = std::numeric_limits<double>::infinity();
    for (const std::uint32_t beam : {1u, 8u, 64u}) {
        const auto codes = problem.encode({4, Relaxation::none, 0, 1, beam}, nullptr);
        double sum = 0.0;
        for (std::size_t n = 0; n < problem.n; ++n) {
            sum += problem.objective(codes.data() + n * problem.m, n, nullptr);
        }
        WSDHQ_CHECK(sum < 0.99 * before);
        before = sum;
    }
}

// A vector may turn into anything while it is encoded, after it was checked: the code is then any,
// and nothing outside of the tables is read.
WSDHQ_CASE(vectors_that_are_no_numbers_get_valid_codes) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity, 3e38f}) {
        Problem problem(70, 19, 4, 50);
        for (std::size_t i = 0; i < problem.vectors.size(); i += 23) {
            problem.vectors[i] = bad;
        }
        for (const bool with_metric : {false, true}) {
            const float* metric = with_metric ? problem.metric.data() : nullptr;
            for (const auto relaxation :
                 {Relaxation::none, Relaxation::codebooks, Relaxation::data}) {
                for (const std::uint32_t beam : {1u, 20u}) {
                    for (const std::uint32_t iterations : {0u, 1u, 4u}) {
                        const EncodeSettings settings{iterations, relaxation, 0, 1, beam};
                        Interrupt interrupt;
                        const Encoder encoder({problem.codebooks.data(), 4, 50, 19}, metric,
                                              active_kernels(), 1, interrupt);
                        // As memory is found.
                        std::vector<std::uint8_t> codes(70 * 4, 255);
                        encoder.encode({problem.vectors.data(), 70, 19}, false, settings,
                                       active_kernels(), interrupt, codes.data());
                        WSDHQ_CHECK(*std::max_element(codes.begin(), codes.end()) < 50);
                    }
                }
            }
        }
    }
}
