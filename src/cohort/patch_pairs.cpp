// SPDX-License-Identifier: Apache-2.0
#include "cohort/patch_pairs.h"

#include <algorithm>

#include "cohort/modality.h"
#include "core/error.h"
#include "core/random.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

/// Writes the patch of every modality around voxel `at` of the volume to out [M][side][side].
void cut_patch(const ScaledScans& scans, int64_t at, int64_t side, float* out) {
  const int64_t height = scans.voxels[0].size(1), width = scans.voxels[0].size(2);
  const int64_t plane = at / (height * width) * height * width;
  const int64_t row = at % (height * width) / width - side / 2, column = at % width - side / 2;
  for (size_t m = 0; m < scans.voxels.size(); ++m) {
    const float* image = scans.voxels[m].data_ptr<float>() + plane;
    const float low = scans.low[m], scale = 1.0f / (scans.high[m] - low);
    for (int64_t y = row; y < row + side; ++y)
      for (int64_t x = column; x < column + side; ++x) {
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        *out++ = inside ? std::clamp((image[y * width + x] - low) * scale, 0.0f, 1.0f) : 0.0f;
      }
  }
}

/// Brain of one person: its mask file, or where every scan is above 0; `from_file` says which.
torch::Tensor brain_of(const VolumeCohort& cohort, const std::vector<size_t>& rows,
                       const ScaledScans& scans, bool& from_file) {
  from_file = true;
  for (const size_t row : rows) {
    const auto& file = cohort.volumes[row].mask_file;
    if (!file.empty()) return read_volume(cohort.folder / file).voxels > 0;
  }
  from_file = false;
  auto brain = scans.voxels[0] > 0;
  for (size_t m = 1; m < scans.voxels.size(); ++m) brain = brain & (scans.voxels[m] > 0);
  return brain;
}

void make_emission_focal(ScaledScans& scans, const PatchSettings& settings,
                         const torch::Tensor& brain, const std::string& who, const Grid& grid) {
  try {
    for (size_t m = 0; m < settings.modalities.size(); ++m)
      if (is_emission(settings.modalities[m]))
        make_focal(scans, m, brain, settings.smooth_mm, settings.surround_mm, settings.clip_percent,
                   grid.voxel_to_world);
  } catch (const Error& error) {
    throw Error("{}: {}", who, error.what());
  }
}

}  // namespace

void PatchSettings::visit(SettingsVisitor& v) {
  v.visit(text("modalities", "modalities of a patch, a channel each (Zotova 2021: pet)"),
          modalities);
  v.visit(text("session", "session of modalities that have several; empty: the only one"), session);
  v.visit(number("clip_percent",
                 "brightest part of an image that is cut to 1 (Zotova 2025: 1; 2021: 0)", 0, 50),
          clip_percent);
  v.visit(
      number("smooth_mm",
             "Gaussian (FWHM) inside the brain before PET and SPECT are cut into patches", 0, 30),
      smooth_mm);
  v.visit(
      number("surround_mm",
             "PET and SPECT relative to the uptake around, a Gaussian in the brain of so many "
             "mm (FWHM): focal lesions stand out more (24 for one of 20 mm), wide ones less; 0: "
             "as they are",
             0, 200),
      surround_mm);
}

PatchPeople read_patch_people(const VolumeCohort& cohort, const std::vector<std::string>& people,
                              const PatchSettings& settings) {
  require(!people.empty() && !settings.modalities.empty(),
          "{}: expected at least one person and one of --modalities", cohort.table.name);
  const bool emission =
      std::any_of(settings.modalities.begin(), settings.modalities.end(), is_emission);
  require(emission || (settings.smooth_mm == 0 && settings.surround_mm == 0),
          "{}: {} {} no uptake of a tracer; expected pet or spect among --modalities",
          settings.smooth_mm > 0 ? "--smooth-mm" : "--surround-mm",
          fmt::join(settings.modalities, ", "), settings.modalities.size() == 1 ? "shows" : "show");
  PatchPeople all;
  all.participants = people;
  for (const auto& id : people) {
    std::vector<size_t> rows;
    std::vector<torch::Tensor> voxels;
    for (const auto& modality : settings.modalities) {
      rows.push_back(cohort.find(id, modality, settings.session));
      const auto& grid = cohort.volumes[rows.back()].grid;
      if (all.scans.empty() && voxels.empty()) all.grid = grid;
      require(grid == all.grid,
              "{}: {} of {} lies on another grid than {}; prepare everybody with --space template",
              cohort.table.name, modality, id, people[0]);
      voxels.push_back(map_voxels(cohort, rows.back()));
    }
    all.scans.push_back(scale_scans(voxels, settings.clip_percent, id));
    for (const size_t row : rows) all.scans.back().to_unit.push_back(unit_scaling(cohort, row));
    bool from_file = true;
    const auto brain = brain_of(cohort, rows, all.scans.back(), from_file);
    all.has_masks = all.has_masks && from_file;
    require(brain.sizes() == voxels[0].sizes(), "{}: the mask of {} lies on another grid",
            cohort.table.name, id);
    make_emission_focal(all.scans.back(), settings, brain, id, all.grid);
    all.mask = all.mask.defined() ? all.mask & brain : brain;
  }
  require(all.mask.any().item<bool>(), "{}: no voxel is brain in everybody; look at the masks",
          cohort.table.name);
  return all;
}

torch::Tensor cut_patches(const ScaledScans& scans, const torch::Tensor& voxels, int64_t side) {
  const auto modalities = static_cast<int64_t>(scans.voxels.size());
  auto patches = torch::empty({voxels.numel(), modalities, side, side});
  const auto places = voxels.contiguous();
  for (int64_t k = 0; k < voxels.numel(); ++k)
    cut_patch(scans, places.data_ptr<int64_t>()[k], side,
              patches.data_ptr<float>() + k * modalities * side * side);
  return patches;
}

PatchPairs draw_pairs(const PatchPeople& people, int64_t count, int64_t side, uint64_t seed,
                      int64_t step) {
  const auto n = static_cast<int64_t>(people.scans.size());
  require(n >= 2, "patch pairs: {} people; expected at least 2", n);
  const auto modalities = static_cast<int64_t>(people.scans[0].voxels.size());
  PatchPairs pairs{torch::empty({count, modalities, side, side}),
                   torch::empty({count, modalities, side, side})};
  const auto* mask = people.mask.data_ptr<bool>();
  Random random(seed, "patch pairs", static_cast<uint64_t>(step));
  const int64_t size = modalities * side * side;
  for (int64_t k = 0; k < count; ++k) {
    int64_t voxel = 0;
    do voxel = random.integer(0, people.mask.numel() - 1);
    while (!mask[voxel]);
    const int64_t a = random.integer(0, n - 1);
    const int64_t b = (a + 1 + random.integer(0, n - 2)) % n;
    cut_patch(people.scans[static_cast<size_t>(a)], voxel, side,
              pairs.first.data_ptr<float>() + k * size);
    cut_patch(people.scans[static_cast<size_t>(b)], voxel, side,
              pairs.second.data_ptr<float>() + k * size);
  }
  return pairs;
}

}  // namespace scintigen
