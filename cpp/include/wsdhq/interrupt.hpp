// Stopping long work, and telling how far it is: a poll that only the calling thread runs, a flag
// that all threads read, a count that all threads add to.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <utility>

namespace wsdhq {

// Thrown, on the calling thread, by work that its poll asked to stop. Outputs are then undefined.
struct Cancelled : std::exception {
    const char* what() const noexcept override { return "cancelled"; }
};

class Interrupt {
public:
    using Poll = std::function<bool()>;  // true: stop. Must not throw.

    explicit Interrupt(Poll poll = nullptr) : poll_(std::move(poll)), last_(Clock::now()) {}

    // Whether to stop. `is_caller`: this is the thread that started the work; only it polls, at
    // most twenty times a second.
    bool requested(bool is_caller) noexcept {
        if (is_caller && poll_ != nullptr && !stop_.load(std::memory_order_relaxed)) {
            const auto now = Clock::now();
            if (now - last_ >= std::chrono::milliseconds(50)) {
                last_ = now;
                if (poll_()) {
                    stop_.store(true, std::memory_order_relaxed);
                }
            }
        }
        return stop_.load(std::memory_order_relaxed);
    }

    void throw_if_requested() {
        if (requested(true)) {
            throw Cancelled();
        }
    }

    // Before the work: how many pieces it has. While it is done: how many more are finished.
    void expect(std::size_t pieces) noexcept { expected_ = pieces; }
    void advance(std::size_t pieces) noexcept {
        done_.fetch_add(pieces, std::memory_order_relaxed);
    }

    // The part of the work that is done, 0 to 1. For the poll.
    double part_done() const noexcept {
        return expected_ == 0 ? 0.0
                              : static_cast<double>(done_.load(std::memory_order_relaxed)) /
                                    static_cast<double>(expected_);
    }

private:
    using Clock = std::chrono::steady_clock;
    Poll poll_;
    Clock::time_point last_;
    std::atomic<bool> stop_{false};
    std::size_t expected_ = 0;
    std::atomic<std::size_t> done_{0};
};

}  // namespace wsdhq
