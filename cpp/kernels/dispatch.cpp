// Which levels run here. A new level is one more entry, behind its processor check.
#include "kernels.hpp"

namespace wsdhq::kernels {

const KernelTable* const* supported_kernels() {
    static const KernelTable* const levels[] = {&scalar_kernels(), nullptr};
    return levels;
}

}  // namespace wsdhq::kernels
