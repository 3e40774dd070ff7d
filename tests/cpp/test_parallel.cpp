// Division of work, with OpenMP or without: everything once, by threads that know their number.
#include <atomic>
#include <new>
#include <stdexcept>

#include "base/parallel.hpp"
#include "check.hpp"

using namespace wsdhq;

namespace {

template <typename Divide>
void check_division(Divide&& divide) {
    for (const int threads : {1, 2, 3, 8}) {
        for (const std::size_t count : {0, 1, 2, 3, 7, 8, 9, 1000}) {
            std::vector<std::atomic<int>> calls(count);
            std::atomic<bool> numbered{true};
            divide(threads, count, [&](std::size_t i) {
                ++calls[i];
                if (thread_number() < 0 || thread_number() >= threads) {
                    numbered = false;
                }
            });
            WSDHQ_CHECK(numbered);
            for (const auto& each : calls) {
                WSDHQ_CHECK(each == 1);
            }
            WSDHQ_CHECK(thread_number() == 0);
        }
    }
}

}  // namespace

WSDHQ_CASE(every_piece_is_done_once) {
    check_division(
        [](int threads, std::size_t count, auto&& body) { for_each_piece(threads, count, body); });
}

WSDHQ_CASE(every_neighbour_is_done_once) {
    check_division([](int threads, std::size_t count, auto&& body) {
        for_each_contiguous(threads, count, body);
    });
}

WSDHQ_CASE(threads_of_one_call_have_numbers_of_their_own) {
    // What a thread writes is read by no other: the sanitizer of threads would see it.
    std::vector<std::size_t> done(4, 0);
    for_each_piece(4, 10'000,
                   [&](std::size_t) { ++done[static_cast<std::size_t>(thread_number())]; });
    WSDHQ_CHECK(done[0] + done[1] + done[2] + done[3] == 10'000);
}

WSDHQ_CASE(what_a_piece_throws_is_thrown_by_the_call) {
    for (const int threads : {1, 2, 8}) {
        for (const bool of_neighbours : {false, true}) {
            bool thrown = false;
            const auto body = [](std::size_t i) {
                if (i == 57) {
                    throw std::bad_alloc();
                }
            };
            try {
                of_neighbours ? for_each_contiguous(threads, 100, body)
                              : for_each_piece(threads, 100, body);
            } catch (const std::bad_alloc&) {
                thrown = true;
            }
            WSDHQ_CHECK(thrown);
        }
    }
}

WSDHQ_CASE(after_a_piece_that_throws_the_others_are_left_out) {
    for (const int threads : {1, 2, 8}) {
        std::atomic<int> calls{0};
        try {
            for_each_piece(threads, 1'000'000, [&](std::size_t) {
                ++calls;
                throw std::runtime_error("each of them");
            });
        } catch (const std::runtime_error&) {
        }
        WSDHQ_CHECK(calls >= 1 && calls <= threads);
    }
}
