// SPDX-License-Identifier: Apache-2.0
#include "cohort/paired_slices.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/permutation.h"
#include "core/random.h"
#include "core/same_grid.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

/// Where a side of `pixels` lies on one of `side`: both middles meet.
struct Cut {
  int64_t from, to, count;  ///< first pixel of the plane, of the square, how many
};
Cut cut_of(int64_t pixels, int64_t side) {
  const int64_t offset = (pixels - side) / 2;
  return {std::max<int64_t>(offset, 0), std::max<int64_t>(-offset, 0), std::min(pixels, side)};
}

}  // namespace

void PairedSettings::visit(SettingsVisitor& v) {
  v.visit(text("inputs", "modalities that are translated, one channel each: T1w, pet or both"),
          inputs);
  v.visit(text("target", "modality that is learned"), target);
  v.visit(text("session", "of modalities that have several (interictal)"), session);
  v.visit(number("slices",
                 "axial slices a person, where most of the brain is (SPECT paper: 100); 0 = all", 0,
                 4096),
          slices);
  v.visit(
      number("side", "pixels along a side of the square the slices are cut or padded to", 32, 1024),
      side);
  v.visit(choice("scale", "minimum and maximum of each slice, or of the volume, to -1 and 1",
                 {"slice", "volume"}),
          scale);
}

PixelScale::PixelScale(double low, double high)
    : offset(static_cast<float>(low)), factor(static_cast<float>(2 / (high - low))) {}

float PixelScale::padding() const { return std::clamp((*this)(0), -1.0F, 1.0F); }

ScaledSlice scaled_slice(const torch::Tensor& volume, int64_t k, int64_t side, double low,
                         double high) {
  const int64_t rows = volume.size(1), columns = volume.size(2);
  const float* const plane = volume.data_ptr<float>() + k * rows * columns;
  ScaledSlice slice;
  slice.pixels = torch::full({side, side}, -1.0F);
  if (low == high) {
    const auto [least, most] = std::minmax_element(plane, plane + rows * columns);
    low = *least;
    high = *most;
  }
  slice.low = low;
  slice.high = high;
  if (!(high > low)) return slice;
  const PixelScale scale(low, high);
  const Cut down = cut_of(rows, side), across = cut_of(columns, side);
  float* const out = slice.pixels.data_ptr<float>();
  if (down.to > 0 || across.to > 0) slice.pixels.fill_(scale.padding());
  // Row 0 is the front and column 0 the patient's right: both axes of RAS turned round.
  for (int64_t r = 0; r < down.count; ++r) {
    const float* const from = plane + (rows - 1 - down.from - r) * columns;
    float* const to = out + (down.to + r) * side + across.to;
    for (int64_t c = 0; c < across.count; ++c) to[c] = scale(from[columns - 1 - across.from - c]);
  }
  return slice;
}

void put_slice(const torch::Tensor& pixels, int64_t k, torch::Tensor& volume) {
  const int64_t side = pixels.size(0), rows = volume.size(1), columns = volume.size(2);
  const Cut down = cut_of(rows, side), across = cut_of(columns, side);
  const auto square = pixels.contiguous();
  const float* const in = square.data_ptr<float>();
  float* const plane = volume.data_ptr<float>() + k * rows * columns;
  for (int64_t r = 0; r < down.count; ++r)
    for (int64_t c = 0; c < across.count; ++c)
      plane[(rows - 1 - down.from - r) * columns + columns - 1 - across.from - c] =
          in[(down.to + r) * side + across.to + c];
}

int64_t first_slice(const torch::Tensor& mask, int64_t count) {
  const int64_t depth = mask.size(0);
  const auto areas = (mask > 0).sum({1, 2}).to(torch::kLong);
  const auto* const area = areas.data_ptr<int64_t>();
  int64_t inside = 0;
  for (int64_t k = 0; k < count; ++k) inside += area[k];
  int64_t best = 0, most = inside;
  for (int64_t first = 1; first + count <= depth; ++first) {
    inside += area[first + count - 1] - area[first - 1];
    if (inside > most) {
      most = inside;
      best = first;
    }
  }
  return most > 0 ? best : (depth - count) / 2;
}

MappedVolume mapped_by(const std::string& scale, torch::Tensor voxels) {
  MappedVolume mapped{std::move(voxels), 0, 0};
  if (scale == "slice") return mapped;
  mapped.low = mapped.voxels.min().item<double>();
  mapped.high = mapped.voxels.max().item<double>();
  return mapped;
}

torch::Tensor PairedPerson::brain() const {
  if (mask.defined()) return mask;
  if (!mask_file.empty()) return read_volume(mask_file).voxels;
  return target.voxels.defined() ? target.voxels : inputs.front().voxels;
}

void PairedPerson::choose_planes(int64_t slices) {
  count = slices > 0 ? slices : grid.nk;
  first = count == grid.nk  ? 0
          : count < grid.nk ? first_slice(brain(), count)
                            : (grid.nk - count) / 2;
}

int64_t PairedPerson::place_of(int64_t k, int64_t places) const {
  const int64_t n = std::clamp<int64_t>(k - first, 0, count - 1);
  return (2 * n + 1) * places / (2 * count);
}

int64_t PairedPerson::plane_at(int64_t place, int64_t places) const {
  return first + (2 * place + 1) * count / (2 * places);
}

int64_t places_of(const std::vector<PairedPerson>& people) {
  int64_t fewest = people.front().count;
  for (const auto& person : people) fewest = std::min(fewest, person.count);
  return fewest;
}

PairedPerson map_person(const VolumeCohort& cohort, const std::string& participant_id,
                        const PairedSettings& settings, bool with_target) {
  PairedPerson person;
  person.participant_id = participant_id;
  const auto is = [&](const PreparedVolume& v, const std::string& modality) {
    return v.participant_id == participant_id && v.modality == modality;
  };
  const auto row_of = [&](const std::string& modality) {
    // A T1 that serves all sessions has none of its own.
    const bool any = std::any_of(cohort.volumes.begin(), cohort.volumes.end(), [&](const auto& v) {
      return is(v, modality) && v.session == settings.session;
    });
    return cohort.find(participant_id, modality, any ? settings.session : "");
  };
  const bool has_target =  // of several sessions without a name, none
      with_target ||
      std::count_if(cohort.volumes.begin(), cohort.volumes.end(), [&](const auto& v) {
        return is(v, settings.target) &&
               (settings.session.empty() || v.session == settings.session);
      }) == 1;
  const size_t leading = row_of(has_target ? settings.target : settings.inputs.front());
  person.grid = cohort.volumes[leading].grid;
  if (has_target) {
    person.target = mapped_by(settings.scale, map_voxels(cohort, leading));
    person.target_to_unit = unit_scaling(cohort, leading);
    person.target_unit = cohort.volumes[leading].unit;
  }
  for (const auto& modality : settings.inputs) {
    const size_t other = row_of(modality);
    person.inputs.push_back(mapped_by(settings.scale, map_voxels(cohort, other)));
    const auto sizes = person.inputs.back().voxels.sizes();
    const auto& grid = cohort.volumes[other].grid;
    require(grid.ni == person.grid.ni && grid.nj == person.grid.nj && grid.nk == person.grid.nk &&
                corner_distance_mm(grid.voxel_to_world, person.grid.voxel_to_world, sizes) <=
                    kSameGrid_mm,
            "{}: {} and {} of {} lie on different grids; prepare them together", cohort.table.name,
            modality, has_target ? settings.target : settings.inputs.front(), participant_id);
  }
  const auto& mask_file = cohort.volumes[leading].mask_file;
  if (!mask_file.empty()) person.mask_file = cohort.folder / mask_file;
  const int64_t depth = person.grid.nk;
  require(!with_target || settings.slices <= depth,
          "{}: {} of {} has {} slices; --slices {} are asked for", cohort.table.name,
          settings.target, participant_id, depth, settings.slices);
  person.choose_planes(settings.slices);
  return person;
}

PairedSlices::PairedSlices(VolumeCohort cohort, std::vector<std::string> participants,
                           const PairedSettings& settings)
    : settings_(settings), participants_(std::move(participants)) {
  require(!settings_.inputs.empty(), "inputs: name at least one modality");
  for (size_t p = 0; p < participants_.size(); ++p) {
    auto person = map_person(cohort, participants_[p], settings_);
    for (int64_t n = 0; n < person.count; ++n) rows_.push_back({p, person.first + n});
    people_.push_back(std::move(person));
  }
}

PairedBatch PairedSlices::gather(const std::vector<int64_t>& indices) const {
  const auto count = static_cast<int64_t>(indices.size()), side = settings_.side;
  const auto channels = static_cast<int64_t>(settings_.inputs.size());
  PairedBatch batch{torch::empty({count, channels, side, side}, torch::kFloat),
                    torch::empty({count, 1, side, side}, torch::kFloat)};
  const auto bytes = static_cast<size_t>(side * side) * sizeof(float);
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const auto& at = row(indices[static_cast<size_t>(n)]);
      const auto& person = people_[at.person];
      const auto put = [&](const MappedVolume& from, float* to) {
        const auto slice = scaled_slice(from.voxels, at.slice, side, from.low, from.high);
        std::memcpy(to, slice.pixels.data_ptr<float>(), bytes);
      };
      for (int64_t c = 0; c < channels; ++c)
        put(person.inputs[static_cast<size_t>(c)],
            batch.inputs.data_ptr<float>() + (n * channels + c) * side * side);
      put(person.target, batch.targets.data_ptr<float>() + n * side * side);
    }
  });
  return batch;
}

PairedBatch PairedSlices::batch(int64_t step, int64_t batch_size, uint64_t seed) const {
  const int64_t steps = steps_per_epoch(batch_size);
  require(steps > 0, "batches of {} from {} slices; expected 1 to {}", batch_size, size(), size());
  const auto key = stream_seed(seed, "order", static_cast<uint64_t>(step / steps));
  std::vector<int64_t> indices;
  for (int64_t n = 0; n < batch_size; ++n)
    indices.push_back(permuted(step % steps * batch_size + n, size(), key));
  return gather(indices);
}

std::string PairedSlices::key() const {
  uint64_t key = 0xcbf29ce484222325ull;
  const auto mix = [&](const void* bytes, size_t count) {
    for (size_t b = 0; b < count; ++b)
      key = (key ^ static_cast<const unsigned char*>(bytes)[b]) * 0x100000001b3ull;
  };
  for (size_t p = 0; p < people_.size(); ++p) {
    mix(participants_[p].data(), participants_[p].size());
    const auto& target = people_[p].target.voxels;
    const auto middle = target[target.size(0) / 2].contiguous();
    mix(middle.data_ptr(), middle.nbytes());
  }
  return fmt::format("{:016x}", key);
}

}  // namespace scintigen
