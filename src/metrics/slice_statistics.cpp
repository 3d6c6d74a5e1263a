// SPDX-License-Identifier: Apache-2.0
#include "metrics/slice_statistics.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace scintigen {
namespace {

using at::indexing::None;
using at::indexing::Slice;

std::string shape_text(const torch::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ","));
}

// `what` begins the messages: "mean counts".
torch::Tensor checked_slices(const torch::Tensor& slices, const char* what, int64_t fewest) {
  require(slices.defined() && slices.dim() == 3 && slices.is_floating_point(),
          "{}: expected slices [N,H,W] of floating point; found {}", what,
          slices.defined() ? shape_text(slices) + " of " + std::string(slices.dtype().name())
                           : std::string("nothing"));
  require(slices.size(0) >= fewest && slices.numel() > 0,
          "{}: needs at least {} slice{} with pixels; found {}", what, fewest,
          fewest == 1 ? "" : "s", shape_text(slices));
  const auto finite = slices.isfinite().flatten(1).all(1);
  if (!finite.all().item<bool>())
    throw Error("{}: slice {} holds a value that is not finite", what,
                finite.logical_not().nonzero()[0].item<int64_t>());
  return slices.detach().to(torch::kCPU);
}

torch::Tensor checked_counts(const torch::Tensor& slices, const char* what) {
  const auto counts = checked_slices(slices, what, 1).to(torch::kDouble);
  const auto flat = counts.flatten(1);
  const auto negative = flat.amin(1) < 0;
  if (negative.any().item<bool>())
    throw Error("{}: slice {} holds a negative value; expected counts >= 0", what,
                negative.nonzero()[0].item<int64_t>());
  return counts;
}

void require_same_matrix(const torch::Tensor& slices, const torch::Tensor& reference,
                         const char* what) {
  require(slices.size(1) == reference.size(1) && slices.size(2) == reference.size(2),
          "{}: slices of {} x {} pixels cannot be compared with reference slices of {} x {}", what,
          slices.size(1), slices.size(2), reference.size(1), reference.size(2));
}

// Rows of `to` that remain when a picture is moved by `shift` pixels, and where they came from.
Slice target_range(int64_t shift) { return shift >= 0 ? Slice(shift, None) : Slice(None, shift); }
Slice source_range(int64_t shift) { return target_range(-shift); }

// [M,H,W] moved by whole pixels, zeros moving in.
torch::Tensor shifted(const torch::Tensor& slices, int64_t rows, int64_t columns) {
  auto result = at::zeros_like(slices);
  result.index_put_({Slice(), target_range(rows), target_range(columns)},
                    slices.index({Slice(), source_range(rows), source_range(columns)}));
  return result;
}

// Each direction is made to point where its largest element is positive: an eigenvector's sign is
// arbitrary and changes with the LAPACK in use.
void fix_signs(torch::Tensor& directions) {
  const auto largest = directions.abs().argmax(0, /*keepdim=*/true);
  const auto sign = directions.gather(0, largest).sign();
  directions.mul_(sign);
}

// Sum of all |a_i - b_j| in blocks, so that N and M of many thousand need no N x M matrix.
double sum_of_distances(const torch::Tensor& a, const torch::Tensor& b) {
  constexpr int64_t kBlock = 512;
  constexpr int64_t kNoMatrixProduct = 2;  // |a|^2 + |b|^2 - 2ab cancels for near neighbours
  double sum = 0;
  for (int64_t first = 0; first < a.size(0); first += kBlock)
    sum +=
        at::cdist(a.slice(0, first, first + kBlock), b, 2, kNoMatrixProduct).sum().item<double>();
  return sum;
}

torch::Tensor checked_features(const torch::Tensor& features, int64_t fewest) {
  require(features.defined() && features.dim() == 2 && features.is_floating_point() &&
              features.size(1) > 0,
          "energy distance: expected features [N,K] of floating point; found {}",
          features.defined() ? shape_text(features) : std::string("nothing"));
  require(features.size(0) >= fewest, "energy distance: needs at least {} row{} a side; found {}",
          fewest, fewest == 1 ? "" : "s", features.size(0));
  require(features.isfinite().all().item<bool>(),
          "energy distance: a feature is not finite; expected finite numbers");
  return features.detach().to(torch::kCPU, torch::kDouble).contiguous();
}

}  // namespace

torch::Tensor mean_counts(const torch::Tensor& slices) {
  const c10::NoGradGuard no_gradients;
  const auto flat = checked_counts(slices, "mean counts").flatten(1);
  return flat.mean(1) / flat.amax(1);
}

torch::Tensor left_right_ratio(const torch::Tensor& slices, double threshold) {
  const c10::NoGradGuard no_gradients;
  require(threshold >= 0 && threshold < 1, "left/right ratio: threshold must be in [0,1); found {}",
          threshold);
  const auto counts = checked_counts(slices, "left/right ratio");
  const auto mask = (counts > threshold * counts.amax({1, 2}, true)).to(torch::kDouble);
  const auto masked = counts * mask;
  const int64_t half = counts.size(2) / 2;  // of an odd width the middle column is on neither side
  const auto mean_of_half = [&](int64_t first) {
    return masked.narrow(2, first, half).sum({1, 2}) / mask.narrow(2, first, half).sum({1, 2});
  };
  const auto right = mean_of_half(0), left = mean_of_half(counts.size(2) - half);
  // A half without a pixel is 0 / 0: already not a number.
  return left / right;
}

torch::Tensor midsagittal_column(const torch::Tensor& slices, double threshold) {
  const c10::NoGradGuard no_gradients;
  require(threshold >= 0 && threshold < 1,
          "mid-sagittal plane: threshold must be in [0,1); found {}", threshold);
  const auto counts = checked_counts(slices, "mid-sagittal plane");
  const auto mask = (counts > threshold * counts.amax({1, 2}, true)).contiguous();
  const int64_t height = counts.size(1), width = counts.size(2);
  auto result = at::full({counts.size(0)}, static_cast<double>(width) / 2, torch::kDouble);
  std::vector<std::pair<double, int64_t>> middles;  // of a row, and its width
  for (int64_t slice = 0; slice < counts.size(0); ++slice) {
    middles.clear();
    int64_t total = 0;
    for (int64_t row = 0; row < height; ++row) {
      const bool* pixels = mask.data_ptr<bool>() + (slice * height + row) * width;
      const auto* first = std::find(pixels, pixels + width, true);
      if (first == pixels + width) continue;
      int64_t end = width;
      while (!pixels[end - 1]) --end;
      const int64_t begin = first - pixels;
      middles.emplace_back(static_cast<double>(begin + end) / 2, end - begin);
      total += end - begin;
    }
    std::sort(middles.begin(), middles.end());
    int64_t passed = 0;
    for (const auto& [middle, weight] : middles) {
      passed += weight;
      if (2 * passed < total) continue;
      result[slice] = middle;
      break;
    }
  }
  return result;
}

torch::Tensor left_right_ratio(const torch::Tensor& slices, double threshold,
                               const torch::Tensor& column) {
  const c10::NoGradGuard no_gradients;
  require(threshold >= 0 && threshold < 1, "left/right ratio: threshold must be in [0,1); found {}",
          threshold);
  const auto counts = checked_counts(slices, "left/right ratio");
  require(column.dim() == 1 && column.size(0) == counts.size(0),
          "left/right ratio: {} planes for {} slices; expected one each", column.numel(),
          counts.size(0));
  const auto mask = (counts > threshold * counts.amax({1, 2}, true)).to(torch::kDouble);
  const auto left_edges = at::arange(counts.size(2), torch::kDouble);
  const auto on_right =
      (column.to(torch::kDouble).unsqueeze(1) - left_edges).clamp(0, 1).unsqueeze(1);  // [N,1,W]
  const auto mean_of = [&](const torch::Tensor& part) {
    const auto weights = mask * part;
    return (counts * weights).sum({1, 2}) / weights.sum({1, 2});
  };
  const auto right = mean_of(on_right), left = mean_of(1 - on_right);
  return left / right;
}

torch::Tensor pixelwise_deviation(const torch::Tensor& slices) {
  const c10::NoGradGuard no_gradients;
  return checked_slices(slices, "pixel-wise deviation", 2).to(torch::kDouble).std(0, true);
}

PrincipalComponents principal_components(const torch::Tensor& slices, int64_t count) {
  const c10::NoGradGuard no_gradients;
  require(count >= 1, "principal components: count must be at least 1; found {}", count);
  const auto flat = checked_slices(slices, "principal components", 2).to(torch::kDouble).flatten(1);
  PrincipalComponents result;
  result.mean = flat.mean(0);
  const auto centred = flat - result.mean;
  // The smaller of X X' [N,N] and X' X [H*W,H*W]: they share their eigenvalues.
  const bool by_rows = centred.size(0) <= centred.size(1);
  const auto gram = by_rows ? centred.matmul(centred.t()) : centred.t().matmul(centred);
  const double total = gram.diagonal().sum().item<double>();
  require(total > 0, "principal components: all {} slices are equal; nothing varies", flat.size(0));
  auto [values, vectors] = at::linalg_eigh(gram);  // ascending
  values = values.flip(0);
  // What is left of a direction that no slice has is rounding: of size `total` times an epsilon.
  const int64_t rank = (values > 1e-10 * total).sum().item<int64_t>();
  const int64_t kept = std::min(count, rank);
  auto directions = vectors.flip(1).narrow(1, 0, kept);
  if (by_rows) directions = centred.t().matmul(directions);
  result.directions = directions / directions.norm(2, 0, true);
  result.explained = values.narrow(0, 0, kept) / total;
  fix_signs(result.directions);
  return result;
}

torch::Tensor PrincipalComponents::project(const torch::Tensor& slices) const {
  const c10::NoGradGuard no_gradients;
  const auto flat = checked_slices(slices, "principal components", 1).to(torch::kDouble).flatten(1);
  require(flat.size(1) == mean.size(0),
          "principal components: were made of slices of {} pixels; found {}", mean.size(0),
          shape_text(slices));
  return (flat - mean).matmul(directions);
}

double energy_distance(const torch::Tensor& a, const torch::Tensor& b, bool unbiased) {
  const c10::NoGradGuard no_gradients;
  const int64_t fewest = unbiased ? 2 : 1;
  const auto x = checked_features(a, fewest), y = checked_features(b, fewest);
  require(x.size(1) == y.size(1),
          "energy distance: {} features on one side and {} on the other; expected as many",
          x.size(1), y.size(1));
  const double n = static_cast<double>(x.size(0)), m = static_cast<double>(y.size(0));
  const double within_x = sum_of_distances(x, x) / (unbiased ? n * (n - 1) : n * n);
  const double within_y = sum_of_distances(y, y) / (unbiased ? m * (m - 1) : m * m);
  const double distance = 2 * sum_of_distances(x, y) / (n * m) - within_x - within_y;
  return unbiased ? distance : std::max(distance, 0.0);  // below 0 only by rounding
}

namespace {

// Both sides of a search, and what was found so far of the nearest to each reference slice.
struct Search {
  torch::Tensor query, candidates;  // float32 [N,H,W]; [M or 2M,H,W], mirrored ones last
  int64_t references = 0, shift = 0;
  int64_t side() const { return 2 * shift + 1; }
};

Search search_of(const torch::Tensor& slices, const torch::Tensor& reference, int64_t shift_px,
                 bool flips) {
  Search search;
  search.query = checked_slices(slices, "nearest slices", 1).to(torch::kFloat).contiguous();
  search.candidates = checked_slices(reference, "nearest slices", 1).to(torch::kFloat);
  require_same_matrix(search.query, search.candidates, "nearest slices");
  require(shift_px >= 0 && 2 * shift_px < std::min(search.query.size(1), search.query.size(2)),
          "nearest slices: shift must be from 0 to under half the matrix; found {}", shift_px);
  search.references = search.candidates.size(0);
  search.shift = shift_px;
  if (flips) search.candidates = at::cat({search.candidates, search.candidates.flip(2)});
  return search;
}

// [N,S,S]: squared norm of the part of each slice that stays inside when it is moved by
// sign * (u - shift, v - shift).
torch::Tensor norms_when_moved(const torch::Tensor& slices, int64_t shift, int64_t sign) {
  const int64_t side = 2 * shift + 1;
  auto norms = at::empty({slices.size(0), side, side});
  for (int64_t u = 0; u < side; ++u)
    for (int64_t v = 0; v < side; ++v)
      norms.index_put_({Slice(), u, v}, slices
                                            .index({Slice(), source_range(sign * (u - shift)),
                                                    source_range(sign * (v - shift))})
                                            .square()
                                            .sum({1, 2}));
  return norms;
}

NearestSlices room_for(int64_t count) {
  return {at::empty({count}, torch::kDouble), at::empty({count}, torch::kLong)};
}

// Once more in float64: |a|^2 + |b|^2 - 2ab would give a copy a distance of 1e-4, not 0.
double exact_distance(const torch::Tensor& slice, const torch::Tensor& candidate, int64_t rows,
                      int64_t columns) {
  const auto moved = shifted(candidate.unsqueeze(0), rows, columns)[0];
  return (slice.to(torch::kDouble) - moved.to(torch::kDouble))
      .square()
      .mean()
      .sqrt()
      .item<double>();
}

// The nearest slice to each candidate so far: |a moved back|^2 - 2 <a, b>, and its place.
struct NearestToCandidates {
  torch::Tensor value, place;  // [M or 2M]; place = (slice * S + u) * S + v

  void look(const torch::Tensor& products, const torch::Tensor& norms, int64_t first) {
    const int64_t side = norms.size(1), kernels = products.size(1);
    const auto all = (norms.unsqueeze(1) - 2 * products).transpose(0, 1).reshape({kernels, -1});
    const auto [least, where] = all.min(1);
    const auto here = where + first * side * side;
    if (!value.defined()) {
      value = least;
      place = here;
      return;
    }
    const auto nearer = least < value;
    value = at::where(nearer, least, value);
    place = at::where(nearer, here, place);
  }

  NearestSlices result(const Search& search) const {
    auto found = room_for(search.references);
    const bool mirrored = value.size(0) > search.references;
    for (int64_t reference = 0; reference < search.references; ++reference) {
      int64_t best = reference;
      if (mirrored &&
          value[reference + search.references].item<float>() < value[reference].item<float>())
        best += search.references;
      const int64_t at = place[best].item<int64_t>(), side = search.side();
      const int64_t slice = at / (side * side), u = at / side % side, v = at % side;
      found.distance[reference] = exact_distance(search.candidates[best], search.query[slice],
                                                 search.shift - u, search.shift - v);
      found.index[reference] = slice;
    }
    return found;
  }
};

// All shifts of one pair are one cross-correlation, so the whole search is a convolution of the
// padded slices with the reference slices as kernels. LibTorch hands that to oneDNN, which is some
// 80 times as fast as matmul where the BLAS is the reference one (Debian's default).
NearestSlices nearest(const Search& search, NearestToCandidates* back) {
  const int64_t side = search.side(), shift = search.shift;
  // Element (u, v) of the correlation is the product of the slice with the candidate moved by
  // (u - shift, v - shift) pixels; its norm is that of the part which stays inside.
  const auto norms = norms_when_moved(search.candidates, shift, 1);
  torch::Tensor back_norms;
  if (back != nullptr) back_norms = norms_when_moved(search.query, shift, -1);
  const auto kernels = search.candidates.unsqueeze(1).contiguous();
  constexpr int64_t kBlock = 32;  // 32 slices x 2000 kernels x 25 shifts: 6 MB
  auto result = room_for(search.query.size(0));
  for (int64_t first = 0; first < search.query.size(0); first += kBlock) {
    const auto block = search.query.slice(0, first, first + kBlock);
    const auto padded = at::constant_pad_nd(block, {shift, shift, shift, shift}).unsqueeze(1);
    const auto products = at::conv2d(padded, kernels);
    if (back != nullptr) back->look(products, back_norms.slice(0, first, first + kBlock), first);
    const auto best = (norms.unsqueeze(0) - 2 * products).flatten(1).argmin(1).contiguous();
    for (int64_t i = 0; i < block.size(0); ++i) {
      const int64_t found = best[i].item<int64_t>();
      const int64_t kernel = found / (side * side), u = found / side % side, v = found % side;
      result.distance[first + i] =
          exact_distance(block[i], search.candidates[kernel], u - shift, v - shift);
      result.index[first + i] = kernel % search.references;
    }
  }
  return result;
}

}  // namespace

NearestSlices nearest_slices(const torch::Tensor& slices, const torch::Tensor& reference,
                             int64_t shift_px, bool flips) {
  const c10::NoGradGuard no_gradients;
  return nearest(search_of(slices, reference, shift_px, flips), nullptr);
}

NearestBothWays nearest_both_ways(const torch::Tensor& slices, const torch::Tensor& reference,
                                  int64_t shift_px, bool flips) {
  const c10::NoGradGuard no_gradients;
  const auto search = search_of(slices, reference, shift_px, flips);
  NearestToCandidates back;
  NearestBothWays both;
  both.of_slices = nearest(search, &back);
  both.of_reference = back.result(search);
  return both;
}

}  // namespace scintigen
