// SPDX-License-Identifier: Apache-2.0
#include "detection/voxel_machines.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/error.h"
#include "core/safetensors.h"
#include "detection/plane_features.h"

namespace scintigen {
namespace {

constexpr int64_t kChunk = 128;  // voxels that one thread takes at a time

/// What the voxels of a chunk gave, to be joined in their order.
struct Part {
  std::vector<float> rho, gamma, mean, deviation, coefficient;
  std::vector<int16_t> count, control;
  std::vector<float> vectors;
  double gap = 0;
};

/// Fits voxels with one thread's solvers.
class VoxelFitter {
 public:
  VoxelFitter(int64_t controls, const VoxelMachineSettings& settings)
      : controls_(controls),
        folds_(settings.folds),
        all_(controls, kPatchLatents, settings.one_class),
        features_(static_cast<size_t>(controls * kPatchLatents)),
        kept_(features_.size()) {
    for (int64_t f = 0; f < folds_; ++f)
      without_.push_back(std::make_unique<OneClassSolver>(controls - fold_size(f), kPatchLatents,
                                                          settings.one_class));
  }

  float* features() { return features_.data(); }  ///< [controls][64], filled by the caller

  void fit(Part& part) {
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
      const float* vector = features_.data() + i * kPatchLatents;
      part.vectors.insert(part.vectors.end(), vector, vector + kPatchLatents);
    }
    part.count.push_back(count);
    if (folds_ > 0) hold_out(part);
  }

 private:
  int64_t fold_size(int64_t fold) const { return (controls_ - fold + folds_ - 1) / folds_; }

  /// Control i belongs to fold i mod folds: scores of all by machines that have not seen them.
  void hold_out(Part& part) {
    double sum = 0, square = 0;
    for (int64_t f = 0; f < folds_; ++f) {
      float* to = kept_.data();
      for (int64_t i = 0; i < controls_; ++i)
        if (i % folds_ != f)
          to = std::copy_n(features_.data() + i * kPatchLatents, kPatchLatents, to);
      auto& solver = *without_[static_cast<size_t>(f)];
      solver.take_examples(kept_.data());
      const auto fit = solver.solve();
      for (int64_t i = f; i < controls_; i += folds_) {
        const double score =
            decide_one_class(kept_.data(), solver.coefficients(), solver.controls(), kPatchLatents,
                             features_.data() + i * kPatchLatents, fit.gamma, fit.rho);
        sum += score;
        square += score * score;
      }
    }
    const auto count = static_cast<double>(controls_);
    part.mean.push_back(static_cast<float>(sum / count));
    part.deviation.push_back(
        static_cast<float>(std::sqrt(std::max(0.0, square - sum * sum / count) / (count - 1))));
  }

  int64_t controls_, folds_;
  OneClassSolver all_;
  std::vector<std::unique_ptr<OneClassSolver>> without_;
  std::vector<float> features_, kept_;
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
  m.vectors = join<float>(
                  parts, torch::kFloat, [](const Part& p) -> auto& { return p.vectors; })
                  .view({-1, kPatchLatents})
                  .to(torch::kHalf);
  if (held_out) {
    m.mean = join<float>(
        parts, torch::kFloat, [](const Part& p) -> auto& { return p.mean; });
    m.deviation = join<float>(
        parts, torch::kFloat, [](const Part& p) -> auto& { return p.deviation; });
  }
  for (const auto& part : parts) m.largest_gap = std::max(m.largest_gap, part.gap);
  return m;
}

}  // namespace

void VoxelMachineSettings::visit(SettingsVisitor& v) {
  one_class.visit(v);
  v.visit(number("folds", "parts in which controls are held out to standardise the scores; 0 = not",
                 0, 1000),
          folds);
}

PlaneMachines fit_plane(const DensePatchEncoder& encoder, const std::vector<ScaledScans>& controls,
                        const torch::Tensor& mask, int64_t plane,
                        const VoxelMachineSettings& settings) {
  const auto n = static_cast<int64_t>(controls.size());
  require(n >= 2 && n <= 32767, "machines at every voxel: {} controls; expected 2 to 32767", n);
  require(settings.folds == 0 ||
              (settings.folds >= 2 && n - (n + settings.folds - 1) / settings.folds >= 2),
          "--folds {}: expected 0, or 2 to {} (the number of controls), with 2 controls left",
          settings.folds, n);
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
        fitter.fit(parts[static_cast<size_t>(chunk)]);
      }
  });
  return joined(parts, voxel, settings.folds > 0);
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
    const auto* vectors = reinterpret_cast<const uint16_t*>(machines.vectors.data_ptr<c10::Half>());
    for (int64_t v = begin; v < end; ++v) {
      latent_of_map(map.data_ptr<float>(), map.size(1), at[v] / width, at[v] % width, latent);
      const int64_t from = first[static_cast<size_t>(v)];
      scores.data_ptr<float>()[v] = decide_by_halves(
          vectors + from * kPatchLatents, machines.coefficient.data_ptr<float>() + from, counts[v],
          latent, machines.gamma.data_ptr<float>()[v], machines.rho.data_ptr<float>()[v]);
    }
  });
  return scores;
}

void write_plane(const std::filesystem::path& path, const PlaneMachines& machines,
                 const std::string& key) {
  std::map<std::string, torch::Tensor> tensors = {
      {"voxel", machines.voxel},     {"rho", machines.rho},
      {"gamma", machines.gamma},     {"count", machines.count},
      {"control", machines.control}, {"coefficient", machines.coefficient},
      {"vectors", machines.vectors}};
  if (machines.mean.defined()) {
    tensors["mean"] = machines.mean;
    tensors["deviation"] = machines.deviation;
  }
  write_tensors(path, tensors, {{"key", key}});
}

PlaneMachines read_plane(const std::filesystem::path& path, const std::string& key,
                         int64_t plane_voxels) {
  const auto file = read_tensors(path);
  const auto found = file.metadata.find("key");
  require(found != file.metadata.end() && found->second == key,
          "{}: belongs to another detector; fit again into an empty folder", path.string());
  const auto take = [&](const char* name, torch::ScalarType type, int64_t size) {
    const auto& tensor = file.at(name);
    require(tensor.scalar_type() == type && tensor.numel() == size,
            "{}: {} is not what this version writes; fit again", path.string(), name);
    return tensor;
  };
  PlaneMachines m;
  const int64_t voxels = file.at("voxel").numel(), supports = file.at("control").numel();
  m.voxel = take("voxel", torch::kInt, voxels);
  m.rho = take("rho", torch::kFloat, voxels);
  m.gamma = take("gamma", torch::kFloat, voxels);
  m.count = take("count", torch::kShort, voxels);
  m.control = take("control", torch::kShort, supports);
  m.coefficient = take("coefficient", torch::kFloat, supports);
  m.vectors = take("vectors", torch::kHalf, supports * kPatchLatents);
  if (file.tensors.count("mean") != 0) {
    m.mean = take("mean", torch::kFloat, voxels);
    m.deviation = take("deviation", torch::kFloat, voxels);
  }
  const bool inside = voxels == 0 || (m.voxel.min().item<int32_t>() >= 0 &&
                                      m.voxel.max().item<int32_t>() < plane_voxels &&
                                      m.count.min().item<int16_t>() >= 0);
  require(inside && m.count.sum().item<int64_t>() == supports,
          "{}: its support vectors do not fit its voxels; fit again", path.string());
  return m;
}

}  // namespace scintigen
