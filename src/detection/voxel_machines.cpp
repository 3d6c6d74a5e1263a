// SPDX-License-Identifier: Apache-2.0
#include "detection/voxel_machines.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/error.h"
#include "detection/held_out_scores.h"
#include "detection/plane_features.h"
#include "metrics/samples.h"

namespace scintigen {
namespace {

constexpr int64_t kChunk = 128;  // voxels that one thread takes at a time

// A distribution over the whole brain needs no more, and its machines are many.
constexpr int64_t kHealthyEvery = 8;

/// What the voxels of a chunk gave, to be joined in their order.
struct Part {
  std::vector<float> rho, gamma, mean, deviation, coefficient;
  std::vector<int16_t> count, control;
  ZDistribution healthy;
  double gap = 0;
};

/// Fits voxels with one thread's solvers.
class VoxelFitter {
 public:
  VoxelFitter(int64_t controls, const VoxelMachineSettings& settings)
      : controls_(controls),
        all_(controls, kPatchLatents, settings.one_class),
        features_(static_cast<size_t>(controls * kPatchLatents)) {
    if (settings.folds > 0)
      held_out_ = std::make_unique<HeldOutScorer>(controls, kPatchLatents, settings.one_class,
                                                  settings.folds);
  }

  float* features() { return features_.data(); }  ///< [controls][64], filled by the caller

  /// `voxel`: its place in the plane's mask.
  void fit(int64_t voxel, Part& part) {
    all_.take_examples(features_.data());
    const auto fit = all_.solve();
    part.rho.push_back(static_cast<float>(fit.rho));
    part.gamma.push_back(static_cast<float>(fit.gamma));
    part.gap = std::max(part.gap, fit.gap);
    int16_t count = 0;
    for (int64_t i = 0; i < controls_; ++i) {
      if (all_.coefficients()[i] == 0) continue;
      ++count;
      part.control.push_back(static_cast<int16_t>(i));
      part.coefficient.push_back(all_.coefficients()[i]);
    }
    part.count.push_back(count);
    if (!held_out_) return;
    const auto& scores = held_out_->score(features_.data());
    const auto moments = moments_of(scores);
    part.mean.push_back(static_cast<float>(moments.mean));
    part.deviation.push_back(static_cast<float>(std::sqrt(moments.variance)));
    if (voxel % kHealthyEvery == 0) part.healthy.add(held_out_->z_as_new(features_.data()));
  }

 private:
  int64_t controls_;
  OneClassSolver all_;
  std::unique_ptr<HeldOutScorer> held_out_;
  std::vector<float> features_;
};

template <class T, class Get>
torch::Tensor join(const std::vector<Part>& parts, torch::ScalarType type, const Get& get) {
  int64_t size = 0;
  for (const auto& part : parts) size += static_cast<int64_t>(get(part).size());
  auto joined = torch::empty({size}, type);
  auto* to = joined.data_ptr<T>();
  for (const auto& part : parts) to = std::copy(get(part).begin(), get(part).end(), to);
  return joined;
}

PlaneMachines joined(const std::vector<Part>& parts, torch::Tensor voxel, bool held_out) {
  PlaneMachines m;
  m.voxel = std::move(voxel);
  m.rho = join<float>(
      parts, torch::kFloat, [](const Part& p) -> auto& { return p.rho; });
  m.gamma = join<float>(
      parts, torch::kFloat, [](const Part& p) -> auto& { return p.gamma; });
  m.count = join<int16_t>(
      parts, torch::kShort, [](const Part& p) -> auto& { return p.count; });
  m.control = join<int16_t>(
      parts, torch::kShort, [](const Part& p) -> auto& { return p.control; });
  m.coefficient = join<float>(
      parts, torch::kFloat, [](const Part& p) -> auto& { return p.coefficient; });
  if (held_out) {
    m.mean = join<float>(
        parts, torch::kFloat, [](const Part& p) -> auto& { return p.mean; });
    m.deviation = join<float>(
        parts, torch::kFloat, [](const Part& p) -> auto& { return p.deviation; });
    ZDistribution healthy;
    for (const auto& part : parts) healthy.add(part.healthy);
    m.healthy = healthy.counts();
  }
  for (const auto& part : parts) m.largest_gap = std::max(m.largest_gap, part.gap);
  return m;
}

/// The pieces of maps, already rounded, that support vectors are made of.
void keep_pieces(PlaneMachines& machines, const std::vector<torch::Tensor>& maps) {
  const auto pieces = machines.index_pieces();
  auto kept = torch::empty({static_cast<int64_t>(pieces.size()), kPatchMaps});
  auto* to = kept.data_ptr<float>();
  for (const auto& [control, place] : pieces)
    to = std::copy_n(maps[static_cast<size_t>(control)].data_ptr<float>() + place * kPatchMaps,
                     kPatchMaps, to);
  machines.pieces = kept.to(torch::kHalf);
}

}  // namespace

void VoxelMachineSettings::visit(SettingsVisitor& v) {
  one_class.visit(v);
  v.visit(
      number("folds",
             "parts in which controls are held out, for standardised scores and p-values; 0 = not, "
             "else 3 or more; ten for p-values",
             0, 1000),
      folds);
}

PlaneMachines fit_plane(const DensePatchEncoder& encoder, const std::vector<ScaledScans>& controls,
                        const torch::Tensor& mask, int64_t plane,
                        const VoxelMachineSettings& settings) {
  const auto n = static_cast<int64_t>(controls.size());
  require(n >= 2 && n <= 32767, "machines at every voxel: {} controls; expected 2 to 32767", n);
  // Once here, where it can be refused: not from a thread.
  if (settings.folds > 0) HeldOutScorer(n, kPatchLatents, settings.one_class, settings.folds);
  const auto voxel = mask.flatten().nonzero().flatten().to(torch::kInt);
  const auto maps = plane_maps(encoder, controls, plane);
  for (const auto& map : maps) round_to_half(map.data_ptr<float>(), map.numel());
  const int64_t width = mask.size(1), count = voxel.numel(), chunks = (count + kChunk - 1) / kChunk;
  const auto* at = voxel.data_ptr<int32_t>();
  std::vector<Part> parts(static_cast<size_t>(chunks));
  std::vector<const float*> map_data;
  for (const auto& map : maps) map_data.push_back(map.data_ptr<float>());
  const int64_t map_width = maps[0].size(1);
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    VoxelFitter fitter(n, settings);
    for (int64_t chunk = begin; chunk < end; ++chunk)
      for (int64_t v = chunk * kChunk; v < std::min(count, (chunk + 1) * kChunk); ++v) {
        for (int64_t i = 0; i < n; ++i)
          latent_of_map(map_data[static_cast<size_t>(i)], map_width, at[v] / width, at[v] % width,
                        fitter.features() + i * kPatchLatents);
        fitter.fit(v, parts[static_cast<size_t>(chunk)]);
      }
  });
  auto machines = joined(parts, voxel, settings.folds > 0);
  machines.width = width;
  keep_pieces(machines, maps);
  return machines;
}

torch::Tensor score_plane(const DensePatchEncoder& encoder, const ScaledScans& person,
                          const PlaneMachines& machines, int64_t plane) {
  const auto map = plane_maps(encoder, {person}, plane)[0];
  const int64_t count = machines.voxel.numel(),
                width = map.size(1) - (kPatchSide - 1 - kDenseMargin);
  std::vector<int64_t> first(static_cast<size_t>(count) + 1, 0);
  const auto* counts = machines.count.data_ptr<int16_t>();
  for (int64_t v = 0; v < count; ++v)
    first[static_cast<size_t>(v) + 1] = first[static_cast<size_t>(v)] + counts[v];
  auto scores = torch::empty({count});
  at::parallel_for(0, count, kChunk, [&](int64_t begin, int64_t end) {
    float latent[kPatchLatents];
    const auto* at = machines.voxel.data_ptr<int32_t>();
    std::vector<uint16_t> vectors;
    for (int64_t v = begin; v < end; ++v) {
      latent_of_map(map.data_ptr<float>(), map.size(1), at[v] / width, at[v] % width, latent);
      const int64_t from = first[static_cast<size_t>(v)];
      vectors.resize(std::max(vectors.size(), static_cast<size_t>(counts[v]) * kPatchLatents));
      machines.support_vectors(from, counts[v], vectors.data());
      scores.data_ptr<float>()[v] = decide_by_halves(
          vectors.data(), machines.coefficient.data_ptr<float>() + from, counts[v], latent,
          machines.gamma.data_ptr<float>()[v], machines.rho.data_ptr<float>()[v]);
    }
  });
  return scores;
}

}  // namespace scintigen
