// What the processor of an x86 machine has, and the operating system lets a program use.
#pragma once

namespace wsdhq::kernels {

struct CpuFeatures {
    bool avx2;
    bool avx512;  // F, BW, DQ and VL
    bool avx512_vbmi;
    bool avx512_vnni;
};

// Nothing on a machine that is not x86.
CpuFeatures cpu_features();

}  // namespace wsdhq::kernels
