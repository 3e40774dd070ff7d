// Work divided among threads: by OpenMP or, in a build without it, by threads made for the call.
//
// A runtime of OpenMP keeps its threads, so that a call begins sooner; threads of our own meet no
// other library's runtime, and a sanitizer understands them. Results never depend on either.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#else
#include <system_error>
#include <thread>
#include <vector>
#endif

namespace wsdhq {

namespace team {

// The first exception of many bodies. None may leave a thread or a region of OpenMP: that would
// end the process.
class FirstError {
public:
    // Calls body(i) unless one has thrown before.
    template <typename Body>
    void guard(Body& body, std::size_t i) noexcept {
        if (has_failed_.load(std::memory_order_relaxed)) {
            return;
        }
        try {
            body(i);
        } catch (...) {
            if (!has_failed_.exchange(true)) {
                error_ = std::current_exception();
            }
        }
    }

    // For the caller, when every thread is done.
    void rethrow() const {
        if (error_) {
            std::rethrow_exception(error_);
        }
    }

private:
    std::atomic<bool> has_failed_{false};
    std::exception_ptr error_;
};

#ifdef _OPENMP
// How many of `wanted` threads, the caller among them, the system grants: at least one. Fewer than
// two are always granted.
int granted(int wanted);

// Without the runtime, which asks for memory and ends the process where there is none. Not for a
// thread within a region of its caller's: its number there need not be 0.
template <typename Body>
void do_alone(std::size_t count, Body& body) {
    for (std::size_t i = 0; i < count; ++i) {
        body(i);
    }
}
#else
// The number of this thread in the team that it works in.
inline thread_local int place = 0;

// Calls body(i) for every i below `count`, each for the thread that is the first to ask for one.
template <typename Body>
void work(int threads, std::size_t count, Body& body) {
    const std::size_t most = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
    std::atomic<std::size_t> next{0};
    FirstError errors;
    const auto take = [&] {
        for (std::size_t i = next++; i < count; i = next++) {
            errors.guard(body, i);
        }
    };
    std::vector<std::thread> others;
    others.reserve(most);
    for (std::size_t number = 1; number < most; ++number) {
        try {
            others.emplace_back([&take, number] {
                place = static_cast<int>(number);
                take();
            });
        } catch (const std::exception&) {
            break;  // no more threads are to be had: those that are there do the work
        }
    }
    take();
    for (std::thread& other : others) {
        other.join();
    }
    errors.rethrow();
}
#endif

}  // namespace team

// The number of the thread that asks, from 0 on: that of the caller is 0.
inline int thread_number() {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return team::place;
#endif
}

// Calls body(i) for every i below `count`, with at most `threads` threads; each takes the next i
// that nobody took. What a body throws is thrown again here, and bodies that have not begun by then
// are left out. Where the system grants fewer threads, those that it grants do the work.
template <typename Body>
void for_each_piece(int threads, std::size_t count, Body&& body) {
#ifdef _OPENMP
    const int had = team::granted(count < 2 ? 1 : threads);
    if (had < 2 && !omp_in_parallel()) {
        team::do_alone(count, body);
        return;
    }
    const auto end = static_cast<std::ptrdiff_t>(count);
    team::FirstError errors;
#pragma omp parallel for num_threads(had) schedule(dynamic)
    for (std::ptrdiff_t i = 0; i < end; ++i) {
        errors.guard(body, static_cast<std::size_t>(i));
    }
    errors.rethrow();
#else
    team::work(threads, count, body);
#endif
}

// The same for pieces that are small, or that gain from those beside them: each thread takes a
// contiguous run of them.
template <typename Body>
void for_each_contiguous(int threads, std::size_t count, Body&& body) {
#ifdef _OPENMP
    const int had = team::granted(count < 2 ? 1 : threads);
    if (had < 2 && !omp_in_parallel()) {
        team::do_alone(count, body);
        return;
    }
    const auto end = static_cast<std::ptrdiff_t>(count);
    team::FirstError errors;
#pragma omp parallel for num_threads(had) schedule(static)
    for (std::ptrdiff_t i = 0; i < end; ++i) {
        errors.guard(body, static_cast<std::size_t>(i));
    }
    errors.rethrow();
#else
    const std::size_t runs = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
    const auto run = [&](std::size_t number) {
        // Products of the two could leave the range of numbers.
        const std::size_t length = count / runs;
        const std::size_t longer = count % runs;
        const std::size_t first = number * length + std::min(number, longer);
        const std::size_t last = first + length + (number < longer ? 1 : 0);
        for (std::size_t i = first; i < last; ++i) {
            body(i);
        }
    };
    team::work(threads, runs, run);
#endif
}

// As many threads as there are pieces of work and as `operations` (additions or look-ups, about)
// are worth, at most `threads`, at least one. Waking a thread costs what about 10^5 operations do,
// and far more where other programs keep the cores busy.
inline int useful_threads(int threads, std::size_t pieces, std::size_t operations) {
    constexpr std::size_t worth_a_thread = 1'000'000;
    const std::size_t useful = std::min(pieces, operations / worth_a_thread);
    if (threads < 2 || useful < 2) {
        return 1;
    }
    return static_cast<int>(std::min(useful, static_cast<std::size_t>(threads)));
}

}  // namespace wsdhq
