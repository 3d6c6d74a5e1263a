// SPDX-License-Identifier: Apache-2.0
#include "synthesis/synthetic_set.h"

#include <torch/torch.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/run_record.h"
#include "core/volume.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

constexpr const char* kVolume = "synthetic.nii.gz";

void require_as_many(int64_t images) {
  require(images >= 1, "no image to make: the table has no row");
  require(images <= kMostImages,
          "{} images; one NIfTI volume holds at most {} slices; make several sets with other seeds",
          images, kMostImages);
}

// The table without its special columns; each image is a participant of its own. original_slice is
// where a slice was in a head: nowhere (import then takes no neighbours from the stack).
SyntheticPlan start_plan(const SliceGenerator& generator, std::vector<std::string> assignments,
                         uint64_t seed, const std::vector<std::string>& special_columns) {
  const auto& encoder = generator.encoder();
  SyntheticPlan plan;
  plan.table.name = "slices.tsv";
  plan.table.columns = {"participant_id", "slice", "file", "original_slice"};
  for (const auto& column : encoder.columns()) plan.table.columns.push_back(column.name);
  plan.table.columns.insert(plan.table.columns.end(), {"training_count", "seed"});
  plan.table.columns.insert(plan.table.columns.end(), special_columns.begin(),
                            special_columns.end());
  const size_t digits = std::max<size_t>(4, std::to_string(assignments.size()).size());
  std::map<std::string, std::vector<std::string>> known;  // cells that depend on the condition only
  for (size_t image = 0; image < assignments.size(); ++image) {
    auto& cells = known[assignments[image]];
    if (cells.empty()) {
      const auto values = encoder.parse(assignments[image]);
      for (const auto& column : encoder.columns()) cells.push_back(values.at(column.name));
      cells.push_back(std::to_string(encoder.training_count(assignments[image])));
    }
    plan.table.rows.push_back(
        {fmt::format("syn-{:0{}}", image + 1, digits), std::to_string(image), kVolume, "n/a"});
    auto& row = plan.table.rows.back();
    row.insert(row.end(), cells.begin(), cells.end());
    row.push_back(std::to_string(seed));
  }
  plan.assignments = std::move(assignments);
  return plan;
}

std::vector<std::string> repeated(const std::vector<std::string>& assignments, int64_t count) {
  require(!assignments.empty(), "no condition to make images of");
  require(count >= 1, "{} images of each condition; expected at least 1", count);
  // The product is not formed before both factors are small.
  require_as_many(std::max(count, static_cast<int64_t>(assignments.size())));
  require_as_many(count * static_cast<int64_t>(assignments.size()));
  std::vector<std::string> all;
  for (const auto& assignment : assignments)
    all.insert(all.end(), static_cast<size_t>(count), assignment);
  return all;
}

torch::Tensor encoded(const SliceGenerator& generator, const std::vector<std::string>& assignments,
                      int64_t count) {
  std::vector<torch::Tensor> rows;
  for (const auto& assignment : assignments)
    rows.push_back(generator.encoder().encode(assignment).expand({count, -1}));
  return torch::cat(rows);
}

// i to the patient's left, j to posterior, k up; the middle of the stack is the origin.
Affine display_affine(const torch::Tensor& images, double pixel_mm) {
  const auto middle = [&](int64_t axis) { return pixel_mm * (images.size(axis) - 1) / 2.0; };
  return {{{-pixel_mm, 0, 0, middle(2)},
           {0, -pixel_mm, 0, middle(1)},
           {0, 0, pixel_mm, -middle(0)},
           {0, 0, 0, 1}}};
}

nlohmann::ordered_json sidecar(const SyntheticPlan& plan, double scale, double pixel_mm,
                               const nlohmann::ordered_json& provenance) {
  auto conditions = nlohmann::ordered_json::array();
  for (const auto& [assignment, images] : by_condition(plan))
    conditions.push_back(
        {{"Condition", assignment},
         {"Images", images.size()},
         {"TrainingSlices", std::stoll(plan.table.at(images[0], "training_count"))}});
  nlohmann::ordered_json json = {
      {"SyntheticData", true},
      {"Warning", "Made by a neural network; shows no patient. For research, not for diagnosis."},
      {"Content",
       "A stack of unrelated single slices, one an image (slices.tsv): neighbours along the third "
       "axis do not belong to one head."},
      {"Orientation", "i to the patient's left, j to posterior (RAS affine in the header)"},
      {"PixelSizeMm", pixel_mm > 0 ? nlohmann::ordered_json(pixel_mm) : nullptr},
      {"Units", scale == 1 ? "fraction of the slice's maximum"
                           : "fraction of the slice's maximum times Scale"},
      {"Scale", scale},
      {"GeneratedBy", {{{"Name", "scintigen"}, {"Version", kVersion}}}},
      {"Conditions", conditions}};
  if (!(pixel_mm > 0))
    json["PixelSizeNote"] = "not known; the header's 1 mm is nominal, and so is the third axis";
  if (!provenance.is_null()) json.update(provenance);
  return json;
}

}  // namespace

SyntheticPlan plan_conditions(const SliceGenerator& generator,
                              const std::vector<std::string>& assignments, int64_t count,
                              uint64_t seed) {
  auto plan = start_plan(generator, repeated(assignments, count), seed, {"latent"});
  for (size_t image = 0; image < plan.table.rows.size(); ++image)
    plan.table.rows[image].push_back(std::to_string(image));
  plan.conditions = encoded(generator, assignments, count);
  plan.latents = generator.latents(seed, 0, plan.conditions.size(0));
  return plan;
}

SyntheticPlan plan_like(const SliceGenerator& generator, const Table& table,
                        const std::vector<int64_t>& rows, uint64_t seed) {
  require_as_many(static_cast<int64_t>(rows.size()));
  Table kept{rows.size() == table.rows.size() ? table.name : table.name + ", rows kept",
             table.columns,
             {}};
  for (const int64_t row : rows) kept.rows.push_back(table.rows.at(static_cast<size_t>(row)));
  const auto conditions = generator.encoder().encode(kept);
  std::vector<std::string> assignments;
  for (size_t row = 0; row < kept.rows.size(); ++row)
    assignments.push_back(generator.encoder().describe(kept, row));
  auto plan = start_plan(generator, std::move(assignments), seed, {"latent", "like_row"});
  for (size_t image = 0; image < rows.size(); ++image) {
    plan.table.rows[image].push_back(std::to_string(image));
    plan.table.rows[image].push_back(std::to_string(rows[image] + 2));
  }
  plan.conditions = conditions;
  plan.latents = generator.latents(seed, 0, conditions.size(0));
  return plan;
}

SyntheticPlan plan_interpolation(const SliceGenerator& generator,
                                 const std::vector<std::string>& assignments, int64_t steps,
                                 uint64_t seed) {
  const auto ends = generator.latents(seed, 0, 2);
  const auto path = interpolate_latents(ends[0], ends[1], steps);
  auto plan = start_plan(generator, repeated(assignments, steps), seed,
                         {"latent", "latent_to", "fraction"});
  for (size_t image = 0; image < plan.table.rows.size(); ++image) {
    const auto step = static_cast<int64_t>(image) % steps;
    auto& row = plan.table.rows[image];
    row.insert(row.end(),
               {"0", "1", number_text(static_cast<double>(step) / static_cast<double>(steps - 1))});
  }
  plan.conditions = encoded(generator, assignments, steps);
  plan.latents = path.repeat({static_cast<int64_t>(assignments.size()), 1});
  return plan;
}

std::vector<std::pair<std::string, std::vector<int64_t>>> by_condition(const SyntheticPlan& plan) {
  std::vector<std::pair<std::string, std::vector<int64_t>>> groups;
  std::map<std::string, size_t> place;
  for (size_t image = 0; image < plan.assignments.size(); ++image) {
    const auto [found, is_new] = place.emplace(plan.assignments[image], groups.size());
    if (is_new) groups.push_back({plan.assignments[image], {}});
    groups[found->second].second.push_back(static_cast<int64_t>(image));
  }
  return groups;
}

void write_synthetic_set(const std::filesystem::path& folder, const SyntheticPlan& plan,
                         const torch::Tensor& images, double scale, double pixel_mm,
                         const nlohmann::ordered_json& provenance) {
  require(images.dim() == 3 && images.size(0) == static_cast<int64_t>(plan.table.rows.size()),
          "{}: {} images for a table of {} rows", folder.string(), images.size(0),
          plan.table.rows.size());
  Volume volume;
  volume.voxels = images.to(torch::kFloat).mul(scale).contiguous();
  volume.voxel_to_world = display_affine(images, pixel_mm > 0 ? pixel_mm : 1);
  write_nifti(
      folder / kVolume, volume,
      fmt::format("SYNTHETIC: unrelated slices by scintigen {}; not for diagnosis", kVersion));
  write_table(folder / "slices.tsv", plan.table);
  write_file(folder / "synthetic.json",
             sidecar(plan, scale, pixel_mm, provenance)
                     .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                 "\n");
}

SyntheticSet read_synthetic_set(const std::filesystem::path& folder) {
  require(std::filesystem::is_directory(folder),
          "{}: no such folder; expected a set made by `scintigen generate`", folder.string());
  SyntheticSet set;
  set.table = read_table(folder / "slices.tsv");
  const auto file = folder / kVolume;
  const auto volume = read_volume(file);
  require(volume.voxels.size(0) == static_cast<int64_t>(set.table.rows.size()),
          "{}: {} slices, but {} rows in slices.tsv; expected as many", file.string(),
          volume.voxels.size(0), set.table.rows.size());
  const auto& affine = volume.voxel_to_world;
  require(affine[0][0] < 0 && affine[1][1] < 0 && affine[0][1] == 0 && affine[1][0] == 0,
          "{}: voxel axes are not patient left and posterior, as `scintigen generate` writes them; "
          "expected an unchanged set",
          file.string());
  const auto slices = volume.voxels.to(torch::kFloat);
  const auto bad = slices.isfinite().logical_and(slices >= 0).flatten(1).all(1).logical_not();
  if (bad.any().item<bool>())
    throw Error("{}: slice {} holds a value that is negative or not finite; expected counts",
                file.string(), bad.nonzero()[0].item<int64_t>());
  const auto largest = slices.amax({1, 2}, true);
  set.slices = torch::where(largest > 0, slices / largest, torch::zeros_like(slices));
  return set;
}

}  // namespace scintigen
