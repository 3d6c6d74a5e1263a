// SPDX-License-Identifier: Apache-2.0
#include "cli/translate_person.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/affine.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/orientation.h"
#include "core/picture.h"
#include "core/resample.h"
#include "core/run_record.h"
#include "core/same_grid.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;
constexpr int64_t kSheetSlices = 8;

Volume read_input(const std::string& file) {
  auto volume = read_volume(file);
  require(at::isfinite(volume.voxels).all().item<bool>(),
          "{}: voxels that are not finite; expected finite ones", file);
  return volume;
}

/// A volume of the working grid (RAS) as the input was stored: axes exchanged and turned back,
/// nothing interpolated.
Volume as_stored(const torch::Tensor& voxels, const PairedPerson& person, const Grid& stored) {
  Volume volume{voxels.contiguous(), person.grid.voxel_to_world, ""};
  if (person.grid == stored) return volume;
  return resample(volume, stored, identity_affine(), Interpolation::kNearest);
}

Json sidecar(const TranslateSubject& subject, const TranslatedPerson& made,
             const PairedSettings& data, const Json& about) {
  auto inputs = Json::array();
  for (size_t c = 0; c < data.inputs.size(); ++c)
    inputs.push_back(
        {{"Modality", data.inputs[c]}, {"File", subject.files[c].filename().string()}});
  Json json = {
      {"SyntheticData", true},
      {"Warning",
       "Made by a neural network from another scan of this person; not measured. For research, not "
       "for diagnosis."},
      {"Modality", data.target},
      {"Units", made.unit.empty() ? Json("arbitrary") : Json(made.unit)},
      {"Inputs", inputs},
      {"Planes",
       {{"Translated", made.pixels.planes.size()},
        {"First", made.pixels.planes.front()},
        {"Last", made.pixels.planes.back()},
        {"BeyondTraining", made.beyond_training}}},
      {"NeighbourDifference", made.neighbour_difference},
      {"InputWarnings", made.warnings}};
  if (made.level > 0) json["CountsLevel"] = made.level;
  json.update(about);
  return json;
}

std::vector<int64_t> spread_planes(const std::vector<int64_t>& planes) {
  std::vector<int64_t> chosen;
  const auto count = static_cast<int64_t>(planes.size());
  for (int64_t n = 0; n < std::min(kSheetSlices, count); ++n)
    chosen.push_back(
        planes[static_cast<size_t>((2 * n + 1) * count / (2 * std::min(kSheetSlices, count)))]);
  return chosen;
}

Picture sheet(const TranslateSubject& subject, const TranslatedPerson& made,
              const PairedSettings& data, const torch::Tensor& real) {
  const auto planes = spread_planes(made.pixels.planes);
  const auto row = [&](const std::string& label, const torch::Tensor& voxels, double high,
                       bool captions) {
    std::vector<torch::Tensor> slices;
    SheetRow shown{label, {}, {}};
    for (const int64_t k : planes) {
      slices.push_back(((scaled_slice(voxels, k, data.side, 0, high > 0 ? high : 1).pixels + 1) / 2)
                           .clamp(0, 1));
      if (captions) shown.captions.push_back(fmt::format("{}", k));
    }
    shown.slices = at::stack(slices);
    return shown;
  };
  const auto top = [&](const torch::Tensor& voxels) {
    double high = 0;
    for (const int64_t k : planes) high = std::max(high, voxels[k].max().item<double>());
    return high;
  };
  std::vector<SheetRow> rows;
  for (size_t c = 0; c < data.inputs.size(); ++c) {
    const auto& voxels = subject.person.inputs[c].voxels;
    rows.push_back(row(data.inputs[c], voxels, top(voxels), false));
  }
  const double high = std::max(top(made.counts), real.defined() ? top(real) : 0.0);
  rows.push_back(row("synthetic " + data.target, made.counts, high, true));
  if (made.deviation.defined()) rows.push_back(row("SD x 4", made.deviation * 4, high, false));
  if (real.defined()) rows.push_back(row("real " + data.target, real, high, false));
  return draw_sheet(fmt::format("{} to {}", fmt::join(data.inputs, " and "), data.target), rows,
                    "The synthetic row was made by a neural network. For research, not for "
                    "diagnosis. Numbers: planes, from the feet.",
                    "perfusion", std::max<int64_t>(1, 128 / data.side));
}

}  // namespace

TranslateSubject subject_of_files(const std::vector<std::string>& files, const std::string& mask,
                                  const PairedSettings& data) {
  require(files.size() == data.inputs.size(),
          "--input names {} file{}; this run translates {}: give one file for each, in this order, "
          "comma between them",
          files.size(), files.size() == 1 ? "" : "s", fmt::join(data.inputs, " and "));
  TranslateSubject subject;
  std::vector<Volume> volumes;
  for (const auto& file : files) {
    volumes.push_back(read_input(file));
    require_same_grid(volumes.front(), files.front(), volumes.back(), file);
    subject.files.emplace_back(file);
  }
  subject.grid = grid_of(volumes.front());
  for (auto& volume : volumes) {
    volume = canonical_orientation(volume);
    subject.person.inputs.push_back(mapped_by(data.scale, volume.voxels.contiguous()));
  }
  subject.person.grid = grid_of(volumes.front());
  if (!mask.empty()) {
    auto brain = read_input(mask);
    Volume stored{torch::empty({subject.grid.nk, subject.grid.nj, subject.grid.ni}),
                  subject.grid.voxel_to_world, ""};
    require_same_grid(stored, files.front(), brain, mask);
    subject.person.mask = canonical_orientation(brain).voxels.contiguous();
    require((subject.person.mask > 0).any().item<bool>(), "{}: no voxel is inside the mask", mask);
  }
  subject.person.choose_planes(data.slices);
  subject.name = "synthetic_" + data.target;
  subject.role = "n/a";
  return subject;
}

void write_translation(const std::filesystem::path& out, const TranslateSubject& subject,
                       const TranslatedPerson& made, const PairedSettings& data, const Json& about,
                       const torch::Tensor& real) {
  const auto folder = subject.folder.empty() ? out : out / subject.folder;
  const auto description =
      fmt::format("SYNTHETIC {} by scintigen {}; not for diagnosis", data.target, kVersion);
  write_nifti(folder / (subject.name + subject.ending()),
              as_stored(made.counts, subject.person, subject.grid), description, subject.form_code);
  if (subject.prepared && subject.person.has_mask())
    write_nifti(folder / (subject.name + "_mask.nii"),
                as_stored(made.inside, subject.person, subject.grid), "brain mask",
                subject.form_code);
  if (made.deviation.defined())
    write_nifti(folder / (subject.name + "_sd.nii.gz"),
                as_stored(made.deviation, subject.person, subject.grid), "SD of a " + description,
                subject.form_code);
  write_png(folder / (subject.name + "_sheet.png"), sheet(subject, made, data, real));
  write_file(
      folder / (subject.name + ".json"),
      sidecar(subject, made, data, about).dump(2, ' ', false, Json::error_handler_t::replace) +
          "\n");
}

}  // namespace scintigen
