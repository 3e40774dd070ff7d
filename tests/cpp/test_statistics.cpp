#include "check.hpp"
#include "wsdhq/cpu.hpp"
#include "wsdhq/statistics.hpp"

using namespace wsdhq;

WSDHQ_CASE(statistics_equal_plain_loops_at_any_number_of_threads) {
    test::Numbers numbers(4);
    constexpr std::size_t n = 12'001, dim = 71, m = 3, k = 5;  // worth two threads
    const auto vectors = numbers.values(n * dim);
    const auto codes = numbers.codes(n * m, k);
    std::vector<std::int64_t> expected(m * k * m * k);
    std::vector<double> expected_sums(m * k * dim);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t a = 0; a < m; ++a) {
            const std::size_t row = a * k + codes[i * m + a];
            for (std::size_t b = 0; b < m; ++b) {
                ++expected[row * m * k + b * k + codes[i * m + b]];
            }
            for (std::size_t d = 0; d < dim; ++d) {
                expected_sums[row * dim + d] += vectors[i * dim + d];
            }
        }
    }
    for (const int threads : {1, 4}) {
        std::vector<std::int64_t> histogram(expected.size());
        std::vector<double> sums(expected_sums.size());
        Interrupt interrupt;
        add_to_histogram({codes.data(), n, m}, k, threads, interrupt, histogram.data());
        add_to_sums({vectors.data(), n, dim}, {codes.data(), n, m}, k, threads, active_kernels(),
                    interrupt, sums.data());
        WSDHQ_CHECK(histogram == expected);
        WSDHQ_CHECK(sums == expected_sums);
    }
}

WSDHQ_CASE(statistics_of_nothing_are_left_alone) {
    const std::vector<float> vectors(3);
    const std::vector<std::uint8_t> codes(3);
    Interrupt interrupt;
    std::int64_t count = 7;
    double sum = 7.0;
    add_to_histogram({codes.data(), 3, 0}, 1, 2, interrupt, &count);
    add_to_histogram({codes.data(), 0, 1}, 1, 2, interrupt, &count);
    add_to_sums({vectors.data(), 3, 1}, {codes.data(), 3, 0}, 1, 2, active_kernels(), interrupt,
                &sum);
    add_to_sums({vectors.data(), 0, 1}, {codes.data(), 0, 1}, 1, 2, active_kernels(), interrupt,
                &sum);
    add_to_sums({vectors.data(), 3, 0}, {codes.data(), 3, 1}, 1, 2, active_kernels(), interrupt,
                &sum);
    WSDHQ_CHECK(count == 7);
    WSDHQ_CHECK(sum == 7.0);
}
