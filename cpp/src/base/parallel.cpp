#include "base/parallel.hpp"

#ifdef _OPENMP
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace wsdhq::team {
namespace {

// What the runtime allocates, about, to begin a region: it ends the process where that fails.
constexpr std::size_t kMemoryOfRegion = 96 << 10;

bool has_memory() {
    // The compiler takes a memory that nobody uses for one that can always be had.
    void* (*volatile allocate)(std::size_t) = std::malloc;
    void* memory = allocate(kMemoryOfRegion);
    std::free(memory);
    return memory != nullptr;
}

// How many threads, up to `wanted`, can be there at once: made, and given up again. Their stacks
// stay with the C library, for the threads that the runtime makes next.
int can_be_made(int wanted) {
    std::vector<std::thread> made;
    std::mutex all_are_there;
    try {
        const std::lock_guard waiting(all_are_there);
        made.reserve(static_cast<std::size_t>(wanted));
        while (made.size() < static_cast<std::size_t>(wanted)) {
            made.emplace_back([&] { const std::lock_guard released(all_are_there); });
        }
    } catch (const std::exception&) {
        // No more of them: neither memory nor the system allows it.
    }
    for (std::thread& each : made) {
        each.join();
    }
    return static_cast<int>(made.size());
}

}  // namespace

// The runtime ends the process when it cannot make a thread. So whenever it is to make some, this
// tries first.
int granted(int wanted) {
    if (wanted < 2) {
        return 1;
    }
    // Threads that the runtime keeps for this one, itself among them: those of its last region.
    thread_local int kept = 1;
    if (wanted == kept) {
        return wanted;
    }
    if (!has_memory()) {
        return 1;
    }
    if (wanted > kept) {
        wanted = kept + can_be_made(wanted - kept);
    }
    kept = wanted;
    return wanted;
}

}  // namespace wsdhq::team
#endif
