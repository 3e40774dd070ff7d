#include "check.hpp"
#include "wsdhq/cpu.hpp"
#include "wsdhq/icm.hpp"

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
        const auto& level = active_kernels();
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
                const double weight =
                    with_metric == nullptr ? (i == j ? 1.0 : 0.0) : with_metric[i * dim + j];
                sum += error[i] * weight * error[j];
            }
        }
        return sum;
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
