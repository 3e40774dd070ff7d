// The instruction-set level in use.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace wsdhq {

// Names of the levels of this build and machine, the fastest first.
std::vector<std::string> simd_levels();

// The kernels that WSDHQ_SIMD names, or the fastest when it is unset or empty. The variable is
// read at each call. Throws std::invalid_argument listing the levels for any other name.
const kernels::KernelTable& active_kernels();

}  // namespace wsdhq
