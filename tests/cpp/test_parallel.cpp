// Division of work, with OpenMP or without: everything once, by threads that know their number.
#include <atomic>

#include "check.hpp"
#include "parallel.hpp"

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
        for_each_neighbour(threads, count, body);
    });
}

WSDHQ_CASE(threads_of_one_call_have_numbers_of_their_own) {
    // What a thread writes is read by no other: the sanitizer of threads would see it.
    std::vector<std::size_t> done(4, 0);
    for_each_piece(4, 10'000,
                   [&](std::size_t) { ++done[static_cast<std::size_t>(thread_number())]; });
    WSDHQ_CHECK(done[0] + done[1] + done[2] + done[3] == 10'000);
}
