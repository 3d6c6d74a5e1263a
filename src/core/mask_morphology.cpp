// SPDX-License-Identifier: Apache-2.0
#include "core/mask_morphology.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr float kFar = std::numeric_limits<float>::infinity();
constexpr double kRounding = 1e-6;  // of a radius: a voxel on the ball's border belongs to it

/// One line's lower envelope of parabolas value[q] + (step (p - q))^2.
class Envelope {
 public:
  explicit Envelope(int64_t n)
      : values(static_cast<size_t>(n)),
        centres_(static_cast<size_t>(n)),
        from_(static_cast<size_t>(n)) {}

  std::vector<double> values;

  /// Replaces values by the envelope; infinite ones have no parabola.
  void fold(double step) {
    const auto n = static_cast<int64_t>(values.size());
    const double square = step * step;
    int64_t last = -1;
    for (int64_t q = 0; q < n; ++q) {
      if (std::isinf(values[static_cast<size_t>(q)])) continue;
      const double height = values[static_cast<size_t>(q)] / square + double(q * q);
      double from = -std::numeric_limits<double>::infinity();
      while (last >= 0) {
        const auto& other = centres_[static_cast<size_t>(last)];
        from = (height - other.height) / double(2 * (q - other.at));
        if (from > from_[static_cast<size_t>(last)]) break;
        --last;
      }
      if (last < 0) from = -std::numeric_limits<double>::infinity();
      ++last;
      centres_[static_cast<size_t>(last)] = {q, height, values[static_cast<size_t>(q)]};
      from_[static_cast<size_t>(last)] = from;
    }
    if (last < 0) return;
    int64_t own = 0;
    for (int64_t p = 0; p < n; ++p) {
      while (own < last && from_[static_cast<size_t>(own) + 1] < double(p)) ++own;
      const auto& centre = centres_[static_cast<size_t>(own)];
      values[static_cast<size_t>(p)] =
          centre.value + square * double((p - centre.at) * (p - centre.at));
    }
  }

 private:
  struct Centre {
    int64_t at;
    double height, value;
  };
  std::vector<Centre> centres_;
  std::vector<double> from_;
};

/// Folds every line of `length` voxels `stride` apart; `outer` blocks of length * stride voxels.
void fold_axis(float* squares, int64_t outer, int64_t length, int64_t stride, double step) {
  if (length < 2) return;
  at::parallel_for(0, outer * stride, 256, [&](int64_t begin, int64_t end) {
    Envelope line(length);
    for (int64_t l = begin; l < end; ++l) {
      float* const base = squares + l / stride * length * stride + l % stride;
      for (int64_t p = 0; p < length; ++p) line.values[static_cast<size_t>(p)] = base[p * stride];
      line.fold(step);
      for (int64_t p = 0; p < length; ++p)
        base[p * stride] = static_cast<float>(line.values[static_cast<size_t>(p)]);
    }
  });
}

torch::Tensor inside_of(const torch::Tensor& mask, const std::array<double, 3>& spacing) {
  require(mask.defined() && mask.dim() == 3, "mask: {} dimensions; expected 3 [D,H,W]",
          mask.defined() ? mask.dim() : 0);
  for (const double mm : spacing)
    require(std::isfinite(mm) && mm > 0, "mask: a spacing of {} mm; expected above 0", mm);
  return mask.to(torch::kCPU).ne(0).contiguous();
}

/// Distance of every voxel to the nearest one that is not `inside`.
torch::Tensor distance(const torch::Tensor& inside, const std::array<double, 3>& spacing) {
  auto squares = torch::empty(inside.sizes(), torch::kFloat);
  float* const square = squares.data_ptr<float>();
  const bool* const in = inside.data_ptr<bool>();
  for (int64_t v = 0; v < squares.numel(); ++v) square[v] = in[v] ? kFar : 0;
  const int64_t nk = inside.size(0), nj = inside.size(1), ni = inside.size(2);
  fold_axis(square, nk * nj, ni, 1, spacing[0]);
  fold_axis(square, nk, nj, ni, spacing[1]);
  fold_axis(square, 1, nk, ni * nj, spacing[2]);
  return squares.sqrt_();
}

}  // namespace

torch::Tensor distance_to_outside_mm(const torch::Tensor& mask,
                                     const std::array<double, 3>& spacing_mm) {
  return distance(inside_of(mask, spacing_mm), spacing_mm);
}

torch::Tensor signed_distance_mm(const torch::Tensor& mask,
                                 const std::array<double, 3>& spacing_mm) {
  const auto inside = inside_of(mask, spacing_mm);
  const auto to_mask = distance(inside.logical_not(), spacing_mm);
  const auto to_outside = distance(inside, spacing_mm);
  // Neighbouring centres are a voxel apart and the edge is halfway between them.
  const float half =
      static_cast<float>(std::cbrt(spacing_mm[0] * spacing_mm[1] * spacing_mm[2]) / 2);
  return torch::where(inside, half - to_outside, to_mask - half);
}

torch::Tensor erode(const torch::Tensor& mask, double radius_mm,
                    const std::array<double, 3>& spacing_mm) {
  require(radius_mm >= 0, "erode: a radius of {} mm; expected 0 or more", radius_mm);
  return distance(inside_of(mask, spacing_mm), spacing_mm).gt(radius_mm * (1 + kRounding));
}

torch::Tensor dilate(const torch::Tensor& mask, double radius_mm,
                     const std::array<double, 3>& spacing_mm) {
  require(radius_mm >= 0, "dilate: a radius of {} mm; expected 0 or more", radius_mm);
  return distance(inside_of(mask, spacing_mm).logical_not(), spacing_mm)
      .le(radius_mm * (1 + kRounding));
}

double dice(const torch::Tensor& a, const torch::Tensor& b) {
  require(a.sizes() == b.sizes(), "Dice: masks of different shapes");
  const auto p = a.ne(0), q = b.ne(0);
  const auto sizes = (p.sum() + q.sum()).item<int64_t>();
  const auto both = p.logical_and(q).sum().item<int64_t>();
  return sizes == 0 ? 1 : 2 * static_cast<double>(both) / static_cast<double>(sizes);
}

}  // namespace scintigen
