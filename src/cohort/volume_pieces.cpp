// SPDX-License-Identifier: Apache-2.0
#include "cohort/volume_pieces.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/permutation.h"
#include "core/random.h"

namespace scintigen {
namespace {

/// Place n of an order that goes through all of `count` again and again, each time anew.
int64_t drawn(int64_t n, int64_t count, uint64_t seed, const char* stream, int64_t epoch) {
  const auto key = stream_seed(seed, stream, static_cast<uint64_t>(epoch));
  return permuted(n % count, count, key + static_cast<uint64_t>(n / count));
}

}  // namespace

void PieceSettings::visit(SettingsVisitor& v) {
  v.visit(choice("pieces",
                 "what a network is shown of a volume: triplets of adjacent slices, or patches "
                 "(cubes)",
                 {"triplets", "patches"}),
          pieces);
  v.visit(number("patch_side", "of patches, voxels; a multiple of 4 (Zotova 2021: 32)", 32, 128),
          patch_side);
  v.visit(number("patch_stride", "voxels between training patches (Zotova 2021: 8)", 1, 128),
          patch_stride);
}

std::vector<int64_t> PieceSettings::shape(int64_t side) const {
  if (patches()) return {1, patch_side, patch_side, patch_side};
  return {kTriplet, side, side};
}

std::vector<PiecePlace> triplet_places(int64_t first, int64_t count, int64_t stride) {
  std::vector<PiecePlace> places;
  const int64_t last = first + std::max<int64_t>(0, count - kTriplet);
  for (int64_t k = first; k < last; k += stride) places.push_back({k, 0, 0});
  if (count > 0) places.push_back({last, 0, 0});
  return places;
}

std::vector<PiecePlace> patch_places(torch::IntArrayRef sizes, int64_t side, int64_t stride) {
  std::vector<int64_t> starts[3];
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t padded = (sizes[axis] + side - 1) / side * side;
    const int64_t before = (padded - sizes[axis]) / 2;
    for (int64_t at = 0; at + side <= padded; at += stride) starts[axis].push_back(at - before);
  }
  std::vector<PiecePlace> places;
  for (const int64_t k : starts[0])
    for (const int64_t j : starts[1])
      for (const int64_t i : starts[2]) places.push_back({k, j, i});
  return places;
}

void cut_triplet(const MappedVolume& volume, int64_t k, int64_t side, float* out) {
  for (int64_t n = 0; n < kTriplet; ++n) {
    const int64_t plane = std::clamp<int64_t>(k + n, 0, volume.voxels.size(0) - 1);
    const auto slice = scaled_slice(volume.voxels, plane, side, volume.low, volume.high);
    std::memcpy(out + n * side * side, slice.pixels.data_ptr<float>(),
                static_cast<size_t>(side * side) * sizeof(float));
  }
}

void cut_patch(const MappedVolume& volume, const PiecePlace& place, int64_t side, float* out) {
  if (!(volume.high > volume.low)) {  // a constant volume
    std::fill(out, out + side * side * side, -1.0F);
    return;
  }
  const PixelScale scale(volume.low, volume.high);
  const auto sizes = volume.voxels.sizes();
  std::fill(out, out + side * side * side, scale.padding());
  const int64_t first = std::max<int64_t>(0, -place.i);
  const int64_t end = std::min(side, sizes[2] - place.i);
  for (int64_t a = std::max<int64_t>(0, -place.k); a < std::min(side, sizes[0] - place.k); ++a)
    for (int64_t b = std::max<int64_t>(0, -place.j); b < std::min(side, sizes[1] - place.j); ++b) {
      const float* const from = volume.voxels.data_ptr<float>() +
                                ((place.k + a) * sizes[1] + place.j + b) * sizes[2] + place.i;
      float* const to = out + (a * side + b) * side;
      for (int64_t c = first; c < end; ++c) to[c] = scale(from[c]);
    }
}

void PieceList::add(MappedVolume volume, int64_t first, int64_t count) {
  const auto places =
      settings_.patches()
          ? patch_places(volume.voxels.sizes(), settings_.patch_side, settings_.patch_stride)
          : triplet_places(first, count);
  for (const auto& place : places) rows_.push_back({volumes_.size(), place});
  volumes_.push_back(std::move(volume));
}

torch::Tensor PieceList::gather(const std::vector<int64_t>& indices) const {
  auto shape = piece_shape();
  shape.insert(shape.begin(), static_cast<int64_t>(indices.size()));
  auto pieces = torch::empty(shape, torch::kFloat);
  const int64_t voxels = indices.empty() ? 0 : pieces.numel() / shape[0];
  for (size_t n = 0; n < indices.size(); ++n) {
    const auto& row = rows_.at(static_cast<size_t>(indices[n]));
    float* const out = pieces.data_ptr<float>() + static_cast<int64_t>(n) * voxels;
    if (settings_.patches())
      cut_patch(volumes_[row.volume], row.place, settings_.patch_side, out);
    else
      cut_triplet(volumes_[row.volume], row.place.k, slice_side_, out);
  }
  return pieces;
}

VolumePieces::VolumePieces(PieceList sources, PieceList targets, bool paired)
    : sources_(std::move(sources)), targets_(std::move(targets)), paired_(paired) {
  require(!paired_ || sources_.size() == targets_.size(),
          "pairs of {} pieces and {}; expected as many of each", sources_.size(), targets_.size());
}

int64_t VolumePieces::size() const {
  return sources_.size() == 0 || targets_.size() == 0 ? 0
                                                      : std::max(sources_.size(), targets_.size());
}

PieceBatch VolumePieces::gather(const std::vector<int64_t>& sources,
                                const std::vector<int64_t>& targets) const {
  return {sources_.gather(sources), targets_.gather(targets)};
}

PieceBatch VolumePieces::batch(int64_t step, int64_t batch_size, uint64_t seed) const {
  const int64_t steps = steps_per_epoch(batch_size);
  require(steps > 0, "batches of {} from {} pieces; expected 1 to {}", batch_size, size(), size());
  std::vector<int64_t> sources, targets;
  for (int64_t n = 0; n < batch_size; ++n) {
    const int64_t at = step % steps * batch_size + n, epoch = step / steps;
    sources.push_back(drawn(at, sources_.size(), seed, "order", epoch));
    targets.push_back(paired_ ? sources.back()
                              : drawn(at, targets_.size(), seed, "target order", epoch));
  }
  return gather(sources, targets);
}

}  // namespace scintigen
