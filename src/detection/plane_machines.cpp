// SPDX-License-Identifier: Apache-2.0
#include "detection/plane_machines.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/safetensors.h"
#include "detection/held_out_scores.h"
#include "models/dense_patches.h"

namespace scintigen {
namespace {

constexpr int64_t kCorners = kPatchLatents / kPatchMaps;
constexpr int64_t kMapMargin =
    kPatchSide - 1 - kDenseMargin;  // a map is so much wider than a plane

/// Calls use(s, corner, control, place) for each corner of each support vector.
template <class Use>
void each_corner(const PlaneMachines& m, const Use& use) {
  const auto *voxel = m.voxel.data_ptr<int32_t>(), *end = voxel + m.voxel.numel();
  const auto* count = m.count.data_ptr<int16_t>();
  const auto* control = m.control.data_ptr<int16_t>();
  int64_t s = 0;
  for (; voxel != end; ++voxel, ++count)
    for (int16_t i = 0; i < *count; ++i, ++s) {
      const int64_t row = *voxel / m.width, column = *voxel % m.width;
      for (int64_t corner = 0; corner < kCorners; ++corner)
        use(s, corner, static_cast<int64_t>(control[s]),
            (row + corner / 2 * 2) * (m.width + kMapMargin) + column + corner % 2 * 2);
    }
}

}  // namespace

std::vector<PlaneMachines::Piece> PlaneMachines::index_pieces() {
  piece = torch::empty({control.numel(), kCorners}, torch::kInt);
  std::vector<Piece> found;
  if (control.numel() == 0) return found;
  const int64_t controls = control.max().item<int16_t>() + 1;
  const int64_t places =
      (voxel.max().item<int32_t>() / width + 1 + kMapMargin) * (width + kMapMargin);
  std::vector<int32_t> at(static_cast<size_t>(controls * places), -1);
  each_corner(*this, [&](int64_t, int64_t, int64_t who, int64_t place) {
    at[static_cast<size_t>(who * places + place)] = 0;
  });
  for (size_t k = 0; k < at.size(); ++k) {
    if (at[k] < 0) continue;
    at[k] = static_cast<int32_t>(found.size());
    found.push_back({static_cast<int32_t>(static_cast<int64_t>(k) / places),
                     static_cast<int32_t>(static_cast<int64_t>(k) % places)});
  }
  auto* const to = piece.data_ptr<int32_t>();
  each_corner(*this, [&](int64_t s, int64_t corner, int64_t who, int64_t place) {
    to[s * kCorners + corner] = at[static_cast<size_t>(who * places + place)];
  });
  return found;
}

void PlaneMachines::support_vectors(int64_t first, int64_t number, uint16_t* out) const {
  const auto* at = piece.data_ptr<int32_t>() + first * kCorners;
  const auto* from = reinterpret_cast<const uint16_t*>(pieces.data_ptr<c10::Half>());
  for (int64_t k = 0; k < number * kCorners; ++k, out += kPatchMaps)
    std::memcpy(out, from + at[k] * kPatchMaps, kPatchMaps * sizeof(uint16_t));
}

void write_plane(const std::filesystem::path& path, const PlaneMachines& machines,
                 const std::string& key) {
  std::map<std::string, torch::Tensor> tensors = {
      {"voxel", machines.voxel},     {"rho", machines.rho},
      {"gamma", machines.gamma},     {"count", machines.count},
      {"control", machines.control}, {"coefficient", machines.coefficient},
      {"pieces", machines.pieces}};
  if (machines.mean.defined()) {
    tensors["mean"] = machines.mean;
    tensors["deviation"] = machines.deviation;
    tensors["healthy"] = machines.healthy;
  }
  write_tensors(path, tensors, {{"key", key}});
}

PlaneMachines read_plane(const std::filesystem::path& path, const std::string& key, int64_t height,
                         int64_t width, int64_t controls) {
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
  if (file.tensors.count("mean") != 0) {
    m.mean = take("mean", torch::kFloat, voxels);
    m.deviation = take("deviation", torch::kFloat, voxels);
    m.healthy = ZDistribution(file.at("healthy")).counts();
  }
  const bool inside =
      voxels == 0 ||
      (m.voxel.min().item<int32_t>() >= 0 && m.voxel.max().item<int32_t>() < height * width &&
       m.count.min().item<int16_t>() >= 0 &&
       (supports == 0 ||
        (m.control.min().item<int16_t>() >= 0 && m.control.max().item<int16_t>() < controls)));
  require(inside && m.count.sum().item<int64_t>() == supports,
          "{}: its support vectors do not fit its voxels; fit again", path.string());
  m.width = width;
  const auto pieces = static_cast<int64_t>(m.index_pieces().size());
  m.pieces = take("pieces", torch::kHalf, pieces * kPatchMaps).view({pieces, kPatchMaps});
  return m;
}

}  // namespace scintigen
