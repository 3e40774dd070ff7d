// Choosing vectors by a mask or by positions, against a plain loop.
#include "check.hpp"
#include "kernels.hpp"
#include "wsdhq/code_blocks.hpp"

using namespace wsdhq;
using kernels::kBlockSize;

namespace {

struct Chosen {
    std::vector<std::uint8_t> blocks;
    std::vector<std::int64_t> positions;
};

Chosen copied(const Gathering& gathering, std::size_t num_rows, int threads) {
    Chosen chosen;
    // Filled, so that what is not written shows.
    chosen.blocks.assign((gathering.count() / kBlockSize + 1) * num_rows * kBlockSize, 77);
    chosen.positions.resize(gathering.count());
    Interrupt interrupt;
    gathering.copy(threads, interrupt, chosen.blocks.data(), chosen.positions.data());
    return chosen;
}

}  // namespace

WSDHQ_CASE(gathered_vectors_are_those_chosen_in_order) {
    test::Numbers numbers(11);
    for (const std::size_t n :
         {std::size_t{1}, kBlockSize - 1, kBlockSize, kBlockSize + 65, 300 * kBlockSize + 200}) {
        for (const std::size_t one_in : {1, 3, 100}) {
            const std::size_t num_rows = n > 100'000 ? 2 : 5;
            const std::size_t num_full = n / kBlockSize;
            const auto full = numbers.codes(num_full * num_rows * kBlockSize, 256);
            const auto last = numbers.codes(num_rows * kBlockSize, 256);
            const CodeBlocks blocks{full.data(), last.data(), n, num_rows};
            std::vector<std::uint8_t> mask(n);
            std::vector<std::int64_t> positions;
            for (std::size_t i = 0; i < n; ++i) {
                if (numbers.word() % one_in == 0) {
                    mask[i] = static_cast<std::uint8_t>(1 + numbers.word() % 255);
                    positions.push_back(static_cast<std::int64_t>(i));
                }
            }
            std::vector<std::uint8_t> expected((positions.size() / kBlockSize + 1) * num_rows *
                                               kBlockSize);
            for (std::size_t i = 0; i < positions.size(); ++i) {
                const auto at = static_cast<std::size_t>(positions[i]);
                for (std::size_t row = 0; row < num_rows; ++row) {
                    expected[(i / kBlockSize * num_rows + row) * kBlockSize + i % kBlockSize] =
                        blocks.block(at / kBlockSize)[row * kBlockSize + at % kBlockSize];
                }
            }
            for (const int threads : {1, 3}) {
                for (auto level = kernels::supported_kernels(); *level != nullptr; ++level) {
                    Interrupt interrupt;
                    const Gathering marked(blocks, mask.data(), threads, **level, interrupt);
                    WSDHQ_CHECK(marked.count() == positions.size());
                    const Chosen by_mask = copied(marked, num_rows, threads);
                    WSDHQ_CHECK(by_mask.positions == positions);
                    WSDHQ_CHECK(by_mask.blocks == expected);
                }
                const Gathering listed(blocks, positions.data(), positions.size());
                WSDHQ_CHECK(listed.count() == positions.size());
                const Chosen by_position = copied(listed, num_rows, threads);
                WSDHQ_CHECK(by_position.positions == positions);
                WSDHQ_CHECK(by_position.blocks == expected);
            }
        }
    }
}
