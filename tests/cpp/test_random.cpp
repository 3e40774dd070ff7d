#include <cmath>

#include "check.hpp"
#include "wsdhq/random.hpp"

using namespace wsdhq;

// Known-answer vectors of Philox4x32-10, from the Random123 distribution (kat_vectors).
WSDHQ_CASE(philox_gives_the_published_words) {
    WSDHQ_CHECK((random::philox({0, 0, 0, 0}, 0) ==
                 random::Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    WSDHQ_CHECK(
        (random::philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffffffffffffULL) ==
         random::Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    WSDHQ_CHECK(
        (random::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822ULL) ==
         random::Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

WSDHQ_CASE(normals_have_the_moments_of_a_normal) {
    constexpr std::size_t count = 200001;
    std::vector<double> draws(count);
    random::normals(7, random::Stream::data_noise, 3, 1, count, draws.data());
    double mean = 0.0;
    double square = 0.0;
    double fourth = 0.0;
    for (const double draw : draws) {
        WSDHQ_CHECK(std::isfinite(draw));
        mean += draw / count;
        square += draw * draw / count;
        fourth += draw * draw * draw * draw / count;
    }
    WSDHQ_CHECK(std::abs(mean) < 0.01);
    WSDHQ_CHECK(std::abs(square - 1.0) < 0.02);
    WSDHQ_CHECK(std::abs(fourth - 3.0) < 0.15);
}

WSDHQ_CASE(streams_iterations_and_codebooks_draw_different_numbers) {
    std::vector<double> a(5);
    std::vector<double> b(5);
    random::normals(7, random::Stream::data_noise, 3, 1, 5, a.data());
    random::normals(7, random::Stream::data_noise, 3, 1, 5, b.data());
    WSDHQ_CHECK(a == b);
    random::normals(8, random::Stream::data_noise, 3, 1, 5, b.data());
    WSDHQ_CHECK(a != b);
    random::normals(7, random::Stream::codebook_noise, 3, 1, 5, b.data());
    WSDHQ_CHECK(a != b);
    random::normals(7, random::Stream::data_noise, 4, 1, 5, b.data());
    WSDHQ_CHECK(a != b);
    random::normals(7, random::Stream::data_noise, 3, 2, 5, b.data());
    WSDHQ_CHECK(a != b);
}

WSDHQ_CASE(permutations_hold_each_number_once) {
    for (std::size_t count = 1; count < 40; ++count) {
        std::vector<std::uint32_t> order(count);
        random::permutation(5, 2, count, order.data());
        std::vector<int> seen(count);
        for (const std::uint32_t each : order) {
            WSDHQ_CHECK(each < count);
            ++seen[each];
        }
        for (const int times : seen) {
            WSDHQ_CHECK(times == 1);
        }
    }
}
