#include "wsdhq/cpu.hpp"

#include <cstdlib>
#include <stdexcept>

namespace wsdhq {

std::vector<std::string> simd_levels() {
    std::vector<std::string> names;
    for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
        names.emplace_back((*level)->name);
    }
    return names;
}

const kernels::KernelTable& active_kernels() {
    const char* wanted = std::getenv("WSDHQ_SIMD");
    const auto levels = kernels::supported_kernels();
    if (wanted == nullptr || *wanted == '\0') {
        return *levels[0];
    }
    std::string listed;
    for (auto level = levels; *level != nullptr; ++level) {
        if (std::string(wanted) == (*level)->name) {
            return **level;
        }
        listed += (listed.empty() ? "" : ", ") + std::string((*level)->name);
    }
    throw std::invalid_argument("WSDHQ_SIMD is \"" + std::string(wanted) +
                                "\": expected one of the levels that this build and machine "
                                "support: " +
                                listed);
}

}  // namespace wsdhq
