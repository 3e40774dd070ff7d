#include <cstdio>

#include "check.hpp"
#include "wsdhq/cpu.hpp"

int main() {
    std::printf("levels:");
    for (const auto& level : wsdhq::simd_levels()) {
        std::printf(" %s", level.c_str());
    }
    std::printf("\n");
    int passed = 0;
    int failed = 0;
    for (const auto& test : wsdhq::test::cases()) {
        try {
            test.body();
            ++passed;
        } catch (const std::exception& error) {
            std::printf("FAILED %s: %s\n", test.name.c_str(), error.what());
            ++failed;
        }
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
