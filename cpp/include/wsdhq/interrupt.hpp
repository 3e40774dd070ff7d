// Stopping long work: a poll that only the calling thread runs, a flag that all threads read.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>

namespace wsdhq {

// Thrown, on the calling thread, by work that its poll asked to stop. Outputs are then undefined.
struct Cancelled : std::exception {
    const char* what() const noexcept override { return "cancelled"; }
};

class Interrupt {
public:
    using Poll = bool (*)();  // true: stop

    explicit Interrupt(Poll poll = nullptr) : poll_(poll), last_(Clock::now()) {}

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

private:
    using Clock = std::chrono::steady_clock;
    Poll poll_;
    Clock::time_point last_;
    std::atomic<bool> stop_{false};
};

}  // namespace wsdhq
