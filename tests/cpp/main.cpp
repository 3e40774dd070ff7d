#include <cstdio>

#include "check.hpp"
#include "wsdhq/cpu.hpp"

// wsdhq_tests [PART OF A NAME]: all cases, or those whose names hold the part.
int main(int count, char** arguments) {
    const std::string wanted = count > 1 ? arguments[1] : "";
    std::printf("levels:");
    for (const auto& level : wsdhq::simd_levels()) {
        std::printf(" %s", level.c_str());
    }
    std::printf("\n");
    int passed = 0;
    int failed = 0;
    for (const auto& test : wsdhq::test::cases()) {
        if (test.name.find(wanted) == std::string::npos) {
            continue;
        }
        try {
            test.body();
            ++passed;
        } catch (const std::exception& error) {
            std::printf("FAILED %s: %s\n", test.name.c_str(), error.what());
            ++failed;
        }
    }
    if (passed + failed == 0) {
        std::printf("no case has '%s' in its name\n", wanted.c_str());
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
