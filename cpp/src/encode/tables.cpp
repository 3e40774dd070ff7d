#include "wsdhq/tables.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/double_lanes.hpp"
#include "base/parallel.hpp"

namespace wsdhq {

namespace {

constexpr int kVectorBits = 15;  // of a scaled vector or codeword: its norm is below 2^15
// No further than a float holds: vectors near the least float lose digits, as `error` tells.
constexpr int kLargestExponent = 120;
// Of zeros: above 31 whatever is added to it, so that no shift is below 0.
constexpr int kExponentOfZero = 1 << 20;
constexpr std::size_t kRowBlock = 16;
constexpr std::size_t kRoundedAtOnce = 64;

// p with x in [2^(p - 1), 2^p), for x > 0.
int binary_exponent(double x) {
    int exponent = 0;
    std::frexp(x, &exponent);
    return exponent;
}

std::int32_t round_to_integer(double value) {
    return static_cast<std::int32_t>(value < 0.0 ? value - 0.5 : value + 0.5);
}

int scaling_exponent(double norm) {
    return std::min(kVectorBits - binary_exponent(norm), kLargestExponent);
}

struct Rounded {
    int exponent;  // the vector was multiplied by 2^exponent
    double norm;   // of the vector
    double error;  // norm of what rounding took from it
};

// A vector times a power of two that brings its norm just below 2^15, rounded.
Rounded scale_and_round(const float* vector, std::size_t dim, std::int16_t* out) {
    const auto product = [](auto x, auto y) { return x * y; };
    const double norm = std::sqrt(sum_in_lanes(vector, vector, dim, product));
    if (norm == 0.0) {
        std::fill(out, out + dim, std::int16_t{0});
        return {kExponentOfZero, 0.0, 0.0};
    }
    const int exponent = scaling_exponent(norm);
    const float scale = std::ldexp(1.0f, exponent);
    float rounded[kRoundedAtOnce];
    float differences[kRoundedAtOnce];
    double lost = 0.0;
    for (std::size_t first = 0; first < dim; first += kRoundedAtOnce) {
        const std::size_t taken = std::min(kRoundedAtOnce, dim - first);
        for (std::size_t d = 0; d < taken; ++d) {
            constexpr float to_whole = 0x1.8p23f;  // leaves no bits for fractions
            const float scaled = vector[first + d] * scale;
            float whole = (scaled + to_whole) - to_whole;
            whole = whole < 32767.0f ? whole : 32767.0f;
            whole = whole > -32767.0f ? whole : -32767.0f;
            rounded[d] = whole;
            differences[d] = scaled - whole;
        }
        for (std::size_t d = 0; d < taken; ++d) {
            out[first + d] = static_cast<std::int16_t>(static_cast<std::int32_t>(rounded[d]));
        }
        lost += sum_in_lanes(differences, differences, taken, product);
    }
    return {exponent, norm, std::ldexp(std::sqrt(lost), -exponent)};
}

// Rows of codewords i of one codebook m, at most kRowBlock: products[i, j] = 2 c_i^T S c_j for
// every codeword j of the codebooks before m.
struct PairwiseTile {
    std::size_t codebook;
    std::size_t first;  // of the codebook's codewords
    std::size_t rows;
    std::size_t columns;
    const float* products;  // (rows, columns)
};

// Calls visit(tile) until every pair of codewords of two codebooks was in one.
template <typename Visit>
void visit_pairwise(CodebooksView codebooks, const AlignedVector<float>& packed,
                    const kernels::KernelTable& kernels, int threads, Interrupt& interrupt,
                    Visit&& visit) {
    const std::size_t size = codebooks.codebook_size;
    const std::size_t blocks = (size + kRowBlock - 1) / kRowBlock;
    const std::size_t count = (codebooks.num_codebooks - 1) * blocks;
    std::vector<float> scratch(static_cast<std::size_t>(threads) * kRowBlock *
                               codebooks.num_codewords());
    for_each_piece(threads, count, [&](std::size_t task) {
        const auto thread = static_cast<std::size_t>(thread_number());
        if (interrupt.requested(thread == 0)) {
            return;
        }
        const std::size_t m = 1 + task / blocks;
        const std::size_t first = task % blocks * kRowBlock;
        const std::size_t rows = std::min(kRowBlock, size - first);
        float* products = scratch.data() + thread * kRowBlock * codebooks.num_codewords();
        kernels.products.inner_products(codebooks.codeword(m, first), rows, codebooks.dim,
                                        packed.data(), m * size, products);
        visit(PairwiseTile{m, first, rows, m * size, products});
    });
    interrupt.throw_if_requested();
}

}  // namespace

IntegerVectors::IntegerVectors(std::size_t num_vectors, std::size_t vector_dim)
    : dim(vector_dim),
      num_pairs((vector_dim + 1) / 2),
      values(num_vectors * num_pairs * 2),
      exponents(num_vectors),
      norms(num_vectors),
      errors(num_vectors) {}

void IntegerVectors::set(std::size_t n, const float* vector) {
    const Rounded rounded = scale_and_round(vector, dim, values.data() + n * num_pairs * 2);
    exponents[n] = rounded.exponent;
    norms[n] = rounded.norm;
    errors[n] = rounded.error;
}

EncodingTables::EncodingTables(CodebooksView codebooks, const float* metric,
                               const kernels::KernelTable& kernels, int threads,
                               Interrupt& interrupt)
    : codebooks_(codebooks),
      padded_size_((codebooks.codebook_size + kernels::kLaneCount - 1) / kernels::kLaneCount *
                   kernels::kLaneCount),
      squares_(codebooks.num_codewords()) {
    const std::size_t num_codewords = codebooks.num_codewords();
    threads = useful_threads(threads, num_codewords, num_codewords * num_codewords * dim());
    if (metric != nullptr) {
        apply_metric(metric, threads, interrupt);
    }
    for (std::size_t i = 0; i < num_codewords; ++i) {
        const float* codeword = codebooks.data + i * dim();
        for (std::size_t d = 0; d < dim(); ++d) {
            squares_[i] += static_cast<double>(codeword[d]) * weighted(i)[d];
        }
    }
    const AlignedVector<float> doubled = pack_columns({weighted(0), num_codewords, dim()}, 2.0f);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    std::vector<float> largest(static_cast<std::size_t>(threads), 0.0f);
    visit_pairwise(codebooks_, doubled, kernels, threads, interrupt, [&](const PairwiseTile& tile) {
        float most = largest[static_cast<std::size_t>(thread_number())];
        for (std::size_t i = 0; i < tile.rows * tile.columns; ++i) {
            const float size = std::abs(tile.products[i]);
            // What is no number counts as infinite: sums that overflow can be either.
            most = std::max(most, size < infinity ? size : infinity);
        }
        largest[static_cast<std::size_t>(thread_number())] = most;
    });
    pack_weighted();
    choose_units(static_cast<double>(*std::max_element(largest.begin(), largest.end())));
    fill_pairwise(doubled, kernels, threads, interrupt);
}

void EncodingTables::apply_metric(const float* metric, int threads, Interrupt& interrupt) {
    weighted_.resize(codebooks_.num_codewords() * dim());
    std::vector<double> scratch(static_cast<std::size_t>(threads) * dim());
    for_each_contiguous(threads, codebooks_.num_codewords(), [&](std::size_t i) {
        if (interrupt.requested(thread_number() == 0)) {
            return;
        }
        double* sums = scratch.data() + static_cast<std::size_t>(thread_number()) * dim();
        const float* codeword = codebooks_.data + i * dim();
        std::fill(sums, sums + dim(), 0.0);
        for (std::size_t e = 0; e < dim(); ++e) {
            const double value = codeword[e];
            const float* row = metric + e * dim();
            for (std::size_t d = 0; d < dim(); ++d) {
                sums[d] += value * row[d];
            }
        }
        float* out = weighted_.data() + i * dim();
        for (std::size_t d = 0; d < dim(); ++d) {
            out[d] = static_cast<float>(sums[d]);
        }
    });
    interrupt.throw_if_requested();
}

void EncodingTables::pack_weighted() {
    constexpr std::size_t lanes = kernels::kLaneCount;
    const std::size_t num_pairs = (dim() + 1) / 2;
    const std::size_t num_columns = num_codebooks() * padded_size_;
    column_shifts_.assign(num_columns, kExponentOfZero);
    packed_.assign(num_columns * num_pairs * 2, 0);
    weighted_norms_.assign(num_codebooks(), 0.0);
    packed_errors_.assign(num_codebooks(), 0.0);
    std::vector<std::int16_t> rounded(num_pairs * 2);
    for (std::size_t m = 0; m < num_codebooks(); ++m) {
        for (std::size_t k = 0; k < codebook_size(); ++k) {
            const std::size_t column = m * padded_size_ + k;
            const Rounded scaled =
                scale_and_round(weighted(m * codebook_size() + k), dim(), rounded.data());
            column_shifts_[column] = scaled.exponent;
            weighted_norms_[m] = std::max(weighted_norms_[m], scaled.norm);
            packed_errors_[m] = std::max(packed_errors_[m], scaled.error);
            std::int16_t* panel = packed_.data() + column / lanes * num_pairs * lanes * 2;
            for (std::size_t d = 0; d < 2 * num_pairs; ++d) {
                panel[(d / 2 * lanes + column % lanes) * 2 + d % 2] = rounded[d];
            }
        }
    }
}

// The unit 2^-e has to leave room: every total of a beam, the sum of M costs, stays within 2^28,
// for vectors of norms up to eight times the longest reconstruction, further than any data that
// the codebooks were made for. P goes to 16 bits if M - 1 of its rounded entries are then wrong by
// little against what tells two codewords apart, about 2 c^T S c / sqrt(dim).
void EncodingTables::choose_units(double largest_pairwise) {
    double reach = 0.0;
    double longest = 0.0;  // |S c|
    for (std::size_t m = 0; m < num_codebooks(); ++m) {
        double most = 0.0;
        for (std::size_t k = 0; k < codebook_size(); ++k) {
            double square = 0.0;
            for (std::size_t d = 0; d < dim(); ++d) {
                square += static_cast<double>(codeword(m, k)[d]) * codeword(m, k)[d];
            }
            most = std::max(most, square);
        }
        reach += std::sqrt(most);
        longest = std::max(longest, weighted_norms_[m]);
    }
    const auto books = static_cast<double>(num_codebooks());
    const double largest_square = *std::max_element(squares_.begin(), squares_.end());
    largest_norm_ = 8.0 * reach;
    const double total = books * (std::abs(largest_square) + 2.0 * largest_norm_ * longest) +
                         books * books / 2.0 * largest_pairwise;
    if (longest == 0.0) {
        largest_norm_ = std::numeric_limits<double>::infinity();  // every cost is 0
    } else if (!std::isfinite(total) || total < 1e-250) {
        largest_norm_ = -1.0;  // beyond whole numbers: every decision is taken in double
    } else {
        // No product of a vector and a codeword is shifted to the left.
        exponent_ = std::min(28 - binary_exponent(total),
                             scaling_exponent(largest_norm_) + scaling_exponent(longest) - 2);
        if (largest_pairwise > 0.0) {
            const double most = 32767.0 / std::min(books - 1.0, double{kernels::kNarrowRows});
            const int narrow_exponent =
                binary_exponent(most) - 1 - binary_exponent(largest_pairwise);
            std::vector<double> sorted = squares_;
            const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
            std::nth_element(sorted.begin(), middle, sorted.end());
            const double telling = 2.0 * *middle / std::sqrt(static_cast<double>(dim()));
            narrow_ = narrow_exponent >= exponent_ ||
                      std::ldexp(3.0 * (books - 1.0), -narrow_exponent) <= telling;
            exponent_ = narrow_ ? std::min(exponent_, narrow_exponent) : exponent_;
        }
    }
    // Inner products in float: each of dim products and sums rounds once, and may underflow.
    const double pairwise_error =
        std::ldexp(1.0, -exponent_) +
        static_cast<double>(dim() + 2) * (0x1p-23 * reach * longest + 0x1p-148);
    // What may be wrong with each of two costs: U rounds its square and the shift rounds down; the
    // product of rounded vectors differs from the true one by what the inequality of Cauchy and
    // Schwarz allows, |x - x'| |w| + |x'| |w - w'|; and the entries of P.
    const double unit = std::ldexp(1.0, exponent_) * (1.0 + 1e-6);
    for (std::size_t m = 0; m < num_codebooks(); ++m) {
        margins_.push_back({6.0 + 2.0 * unit * (books - 1.0) * pairwise_error,
                            4.0 * unit * packed_errors_[m],
                            4.0 * unit * (weighted_norms_[m] + packed_errors_[m])});
    }
    column_terms_.assign(num_codebooks() * padded_size_, kPaddingCost);
    const double scale = std::ldexp(1.0, exponent_);
    for (std::size_t i = 0; i < squares_.size(); ++i) {
        column_terms_[i / codebook_size() * padded_size_ + i % codebook_size()] =
            largest_norm_ < 0.0 ? 0 : round_to_integer(squares_[i] * scale);
    }
}

void EncodingTables::fill_pairwise(const AlignedVector<float>& packed,
                                   const kernels::KernelTable& kernels, int threads,
                                   Interrupt& interrupt) {
    if (num_codebooks() == 1) {
        return;
    }
    const std::size_t size = codebook_size();
    const std::size_t row_size = num_codebooks() * padded_size_;
    const double scale = largest_norm_ < 0.0 ? 0.0 : std::ldexp(1.0, exponent_);
    std::vector<std::size_t> places(codebooks_.num_codewords());  // of codewords in a padded row
    for (std::size_t i = 0; i < places.size(); ++i) {
        places[i] = i / size * padded_size_ + i % size;
    }
    const auto fill = [&](auto& table) {
        using Entry = typename std::remove_reference_t<decltype(table)>::value_type;
        table.assign(codebooks_.num_codewords() * row_size, 0);
        if (scale == 0.0) {
            return;
        }
        visit_pairwise(
            codebooks_, packed, kernels, threads, interrupt, [&](const PairwiseTile& tile) {
                Entry entries[kRowBlock][kRowBlock];
                const std::size_t row = tile.codebook * size + tile.first;
                const std::size_t column = tile.codebook * padded_size_ + tile.first;
                for (std::size_t j = 0; j < tile.columns; j += kRowBlock) {
                    const std::size_t taken = std::min(kRowBlock, tile.columns - j);
                    for (std::size_t i = 0; i < tile.rows; ++i) {
                        const float* products = tile.products + i * tile.columns + j;
                        for (std::size_t k = 0; k < taken; ++k) {
                            entries[i][k] =
                                static_cast<Entry>(round_to_integer(products[k] * scale));
                            table[(row + i) * row_size + places[j + k]] = entries[i][k];
                        }
                    }
                    for (std::size_t k = 0; k < taken; ++k) {
                        for (std::size_t i = 0; i < tile.rows; ++i) {
                            table[(j + k) * row_size + column + i] = entries[i][k];
                        }
                    }
                }
            });
    };
    narrow_ ? fill(narrow_pairwise_) : fill(wide_pairwise_);
}

void EncodingTables::unary(IntegerVectors& vectors, std::size_t num_vectors,
                           const kernels::EncodeKernels& kernels, std::int32_t* out) const {
    for (std::size_t n = 0; n < num_vectors; ++n) {
        if (fits(vectors.norms[n]) && std::isfinite(largest_norm_)) {
            vectors.exponents[n] -= exponent_ + 1;
        } else {
            vectors.exponents[n] = kExponentOfZero;
            std::int16_t* values = vectors.values.data() + n * vectors.num_pairs * 2;
            std::fill(values, values + vectors.num_pairs * 2, std::int16_t{0});
        }
    }
    kernels.integer_unary(vectors.values.data(), num_vectors, vectors.num_pairs, packed_.data(),
                          num_codebooks() * padded_size_ / kernels::kLaneCount,
                          vectors.exponents.data(), column_shifts_.data(), column_terms_.data(),
                          out);
}

std::int32_t EncodingTables::costs(std::int32_t base, const std::int32_t* unary, std::size_t m,
                                   const std::uint8_t* code, const std::uint32_t* others,
                                   std::size_t num_others, const kernels::EncodeKernels& kernels,
                                   std::int32_t* costs, std::int32_t* minima) const {
    const auto add = [&](const auto& table, auto* add_rows) {
        const typename std::remove_reference_t<decltype(table)>::value_type* rows[kMaxCodebooks];
        find_rows(table, m, code, others, num_others, rows);
        return add_rows(base, unary + m * padded_size_, rows, num_others, padded_size_, costs,
                        minima);
    };
    return narrow_ ? add(narrow_pairwise_, kernels.add_rows_16)
                   : add(wide_pairwise_, kernels.add_rows_32);
}

std::int16_t EncodingTables::narrow_costs(std::int16_t base, const std::int16_t* first,
                                          std::size_t m, const std::uint8_t* code,
                                          const std::uint32_t* others, std::size_t num_others,
                                          const kernels::EncodeKernels& kernels,
                                          std::int16_t* costs, std::int16_t* minima) const {
    const std::int16_t* rows[kMaxCodebooks];
    find_rows(narrow_pairwise_, m, code, others, num_others, rows);
    return kernels.add_rows_narrow(base, first + m * padded_size_, rows, num_others, padded_size_,
                                   costs, minima);
}

std::int32_t EncodingTables::margin(std::size_t m, double norm, double error) const {
    constexpr double most = kPaddingCost / 2.0;
    const Margin& margin = margins_[m];
    const double units = margin.constant + margin.of_norm * norm + margin.of_error * error;
    return units < most ? static_cast<std::int32_t>(units) : static_cast<std::int32_t>(most);
}

double EncodingTables::exact_cost(const double* residual, std::size_t m, std::size_t k) const {
    const std::size_t i = m * codebook_size() + k;
    const float* image = weighted(i);
    return squares_[i] -
           2.0 * sum_in_lanes(residual, image, dim(), [](auto r, auto c) { return r * c; });
}

double EncodingTables::objective(const float* vector, const std::uint8_t* code,
                                 double* scratch) const {
    double* reconstruction = scratch;
    double* image = weighted_.empty() ? scratch : scratch + dim();
    std::fill(scratch, scratch + 2 * dim(), 0.0);
    for (std::size_t m = 0; m < num_codebooks(); ++m) {
        const float* word = codeword(m, code[m]);
        for (std::size_t d = 0; d < dim(); ++d) {
            reconstruction[d] += word[d];
        }
        if (image != reconstruction) {
            const float* weighted_word = weighted(m * codebook_size() + code[m]);
            for (std::size_t d = 0; d < dim(); ++d) {
                image[d] += weighted_word[d];
            }
        }
    }
    for (std::size_t d = 0; d < dim(); ++d) {
        scratch[2 * dim() + d] = reconstruction[d] - 2.0 * vector[d];
    }
    return sum_in_lanes(scratch + 2 * dim(), image, dim(), [](auto y, auto w) { return y * w; });
}

}  // namespace wsdhq
