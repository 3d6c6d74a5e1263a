// SPDX-License-Identifier: Apache-2.0
#include "imaging/even_out.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace scintigen {
namespace {

constexpr int64_t kBlock = 4;  // cubes a side: the field is smooth
constexpr double kSigmaMm = 14;
constexpr float kFluidPart = 0.6F;  // of the mean: darker is fluid, which says nothing of the coil
constexpr float kPrior = 0.02F;  // of a block full of brain: beyond the brain the field fades to 1
constexpr float kMostLog = 1.1F;

}  // namespace

void even_out(HeadImage& head, const torch::Tensor& inside) {
  const bool* const in = inside.data_ptr<bool>();
  const Grid& g = head.grid;
  double sum = 0, count = 0;
  for (int64_t v = 0; v < g.voxels(); ++v)
    if (in[v]) sum += head.voxels[static_cast<size_t>(v)] - head.low, ++count;
  if (count == 0 || sum <= 0) return;
  const auto mean = static_cast<float>(sum / count);

  const int64_t ni = (g.ni - 1) / kBlock + 1, nj = (g.nj - 1) / kBlock + 1,
                nk = (g.nk - 1) / kBlock + 1;
  std::vector<float> logs(static_cast<size_t>(ni * nj * nk), 0), weights(logs);
  for (int64_t k = 0; k < g.nk; ++k)
    for (int64_t j = 0; j < g.nj; ++j)
      for (int64_t i = 0; i < g.ni; ++i) {
        const auto v = static_cast<size_t>(i + g.ni * (j + g.nj * k));
        const float value = head.voxels[v] - head.low;
        if (!in[v] || value < kFluidPart * mean) continue;
        const auto block = static_cast<size_t>(i / kBlock + ni * (j / kBlock + nj * (k / kBlock)));
        logs[block] += std::log(value / mean);
        weights[block] += 1;
      }
  const double sigma = kSigmaMm / (head.spacing() * double(kBlock));
  gaussian_blur(logs.data(), ni, nj, nk, {sigma, sigma, sigma});
  gaussian_blur(weights.data(), ni, nj, nk, {sigma, sigma, sigma});
  const float prior = kPrior * float(kBlock * kBlock * kBlock);
  CubeField field;  // read by interpolation; a block's value stands at its centre
  field.grid = {ni, nj, nk, g.voxel_to_world};
  for (size_t axis = 0; axis < 3; ++axis) {
    field.grid.voxel_to_world[axis][axis] *= double(kBlock);
    field.grid.voxel_to_world[axis][3] += head.spacing() * double(kBlock - 1) / 2;
  }
  field.voxels.resize(logs.size());
  for (size_t b = 0; b < logs.size(); ++b)
    field.voxels[b] = std::clamp(logs[b] / (weights[b] + prior), -kMostLog, kMostLog);
  at::parallel_for(0, g.nk, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      for (int64_t j = 0; j < g.nj; ++j)
        for (int64_t i = 0; i < g.ni; ++i) {
          float& value = head.voxels[static_cast<size_t>(i + g.ni * (j + g.nj * k))];
          value = head.low + (value - head.low) * std::exp(-field.at(head.point(i, j, k)));
        }
  });
}

}  // namespace scintigen
