#include <cstdio>

#include "check.hpp"

int main() {
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
