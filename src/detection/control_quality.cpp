// SPDX-License-Identifier: Apache-2.0
#include "detection/control_quality.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/random.h"

namespace scintigen {
namespace {

constexpr int64_t kVoxels = 512;
constexpr double kTighter = 0.8, kWider = 1.25, kFarSd = 3;

/// The row of volumes.tsv that holds a participant's value, if there are column and value.
std::optional<size_t> row_of(const VolumeCohort& cohort, const std::string& id,
                             const char* column) {
  const auto& table = cohort.table;
  if (!table.find_column(column)) return std::nullopt;
  for (size_t row = 0; row < table.rows.size(); ++row)
    if (table.at(row, "participant_id") == id && table.at(row, column) != "n/a") return row;
  return std::nullopt;
}

/// "" without column or value.
std::string cell_of(const VolumeCohort& cohort, const std::string& id, const char* column) {
  const auto row = row_of(cohort, id, column);
  return row ? cohort.table.at(*row, column) : "";
}

std::optional<double> age_of(const VolumeCohort& cohort, const std::string& id) {
  const auto row = row_of(cohort, id, "age");
  if (!row) return std::nullopt;
  try {
    return cohort.table.number_at(*row, "age");
  } catch (const Error&) {  // "89+", "nan": not a number to compare
    return std::nullopt;
  }
}

double mean_of(const std::vector<double>& values, const std::vector<int64_t>& of) {
  double sum = 0;
  for (const int64_t i : of) sum += values[static_cast<size_t>(i)];
  return sum / static_cast<double>(of.size());
}

}  // namespace

PatchQuality patch_quality(PatchAutoencoder network, const std::vector<ScaledScans>& people,
                           const torch::Tensor& mask, int64_t voxels) {
  const torch::NoGradGuard no_grad;
  const auto inside = mask.flatten().nonzero().flatten().contiguous();
  require(inside.numel() > 0 && !people.empty(), "patch quality: nobody, or an empty mask");
  Random random(1, "patch quality");
  auto drawn = torch::empty({voxels}, torch::kLong);
  for (int64_t k = 0; k < voxels; ++k) drawn[k] = inside[random.integer(0, inside.numel() - 1)];
  PatchQuality quality;
  quality.latents = torch::empty({static_cast<int64_t>(people.size()), voxels, kPatchLatents});
  for (size_t p = 0; p < people.size(); ++p) {
    const auto patches = cut_patches(people[p], drawn, kPatchSide);
    const auto latents = network->encode(patches);
    quality.latents[static_cast<int64_t>(p)].copy_(latents);
    quality.reconstruction.push_back(
        (network->decode(latents) - patches).square().mean().item<double>());
  }
  return quality;
}

double latent_spread(const torch::Tensor& latents, const std::vector<int64_t>& people) {
  return latents.index_select(0, torch::tensor(people))
      .to(torch::kDouble)
      .var(0)
      .sum(1)
      .mean()
      .item<double>();
}

nlohmann::ordered_json ControlQuality::json() const {
  nlohmann::ordered_json json = {{"reconstruction", reconstruction},
                                 {"reconstruction_sd", reconstruction_sd},
                                 {"scanners", scanners}};
  if (ages) json["ages"] = *ages;
  return json;
}

ControlQuality control_quality_of(const nlohmann::json& json) {
  ControlQuality quality;
  quality.reconstruction = json.at("reconstruction").get<double>();
  quality.reconstruction_sd = json.at("reconstruction_sd").get<double>();
  quality.scanners = json.at("scanners").get<std::vector<std::string>>();
  if (json.contains("ages")) quality.ages = json.at("ages").get<std::array<double, 2>>();
  return quality;
}

ControlQuality control_quality(PatchAutoencoder network, const PatchPeople& controls,
                               const VolumeCohort& cohort) {
  const auto errors =
      patch_quality(std::move(network), controls.scans, controls.mask, kVoxels).reconstruction;
  ControlQuality quality;
  const auto n = static_cast<double>(errors.size());
  for (const double error : errors) quality.reconstruction += error / n;
  double square = 0;
  for (const double error : errors) square += std::pow(error - quality.reconstruction, 2);
  quality.reconstruction_sd = n > 1 ? std::sqrt(square / (n - 1)) : 0;
  for (const auto& id : controls.participants) {
    if (const auto age = age_of(cohort, id)) {
      auto& ages = quality.ages;
      if (!ages) ages = {*age, *age};
      (*ages)[0] = std::min((*ages)[0], *age);
      (*ages)[1] = std::max((*ages)[1], *age);
    }
    const auto scanner = cell_of(cohort, id, "scanner");
    auto& all = quality.scanners;
    if (!scanner.empty() && std::find(all.begin(), all.end(), scanner) == all.end())
      all.push_back(scanner);
  }
  return quality;
}

std::vector<std::string> SyntheticControls::warnings() const {
  std::vector<std::string> found;
  const auto judge = [&](double ratio, const char* what, const char* below, const char* above) {
    if (ratio < kTighter || ratio > kWider)
      found.push_back(fmt::format("synthetic controls: {} {:.2f} times the real ones': {}", what,
                                  ratio, ratio < kTighter ? below : above));
  };
  if (spread)
    judge(*spread, "the variance of their patch features is",
          "they vary less, and machines fitted to them are tighter",
          "they vary more, and machines fitted to them are wider");
  judge(reconstruction, "the error of their patches' reconstruction is", "they are smoother",
        "they hold what the features do not know");
  return found;
}

nlohmann::ordered_json SyntheticControls::json() const {
  nlohmann::ordered_json json = {{"reconstruction_ratio", reconstruction}};
  if (spread) json["feature_variance_ratio"] = *spread;
  return json;
}

SyntheticControls compare_synthetic(PatchAutoencoder network, const PatchPeople& controls,
                                    const std::vector<std::string>& synthetic) {
  std::vector<int64_t> real, made;
  for (size_t p = 0; p < controls.participants.size(); ++p) {
    const bool is_made =
        std::find(synthetic.begin(), synthetic.end(), controls.participants[p]) != synthetic.end();
    (is_made ? made : real).push_back(static_cast<int64_t>(p));
  }
  require(made.size() == synthetic.size(), "--synthetic: {} names, {} of them are controls",
          synthetic.size(), made.size());
  require(!real.empty() && !made.empty(), "--synthetic: expected synthetic and real controls");
  const auto quality = patch_quality(std::move(network), controls.scans, controls.mask, kVoxels);
  SyntheticControls found;
  if (real.size() >= 3 && made.size() >= 3)
    found.spread = latent_spread(quality.latents, made) / latent_spread(quality.latents, real);
  found.reconstruction =
      mean_of(quality.reconstruction, made) / mean_of(quality.reconstruction, real);
  return found;
}

std::vector<std::string> patient_warnings(PatchAutoencoder network, const ControlQuality& controls,
                                          const ScaledScans& patient, const torch::Tensor& mask,
                                          const VolumeCohort& cohort, const std::string& id) {
  std::vector<std::string> warnings;
  const double error =
      patch_quality(std::move(network), {patient}, mask, kVoxels).reconstruction[0];
  if (error > controls.reconstruction + kFarSd * controls.reconstruction_sd)
    warnings.push_back(fmt::format(
        "{}: patches are reconstructed worse than controls' (error {:.3g}, theirs {:.3g}, SD "
        "{:.2g}): look at registration, scaling and scanner",
        id, error, controls.reconstruction, controls.reconstruction_sd));
  const auto age = age_of(cohort, id);
  if (age && controls.ages && (*age < (*controls.ages)[0] || *age > (*controls.ages)[1]))
    warnings.push_back(fmt::format("{}: {:g} years old, controls are {:g} to {:g}", id, *age,
                                   (*controls.ages)[0], (*controls.ages)[1]));
  const auto scanner = cell_of(cohort, id, "scanner");
  const auto& all = controls.scanners;
  if (!scanner.empty() && !all.empty() && std::find(all.begin(), all.end(), scanner) == all.end())
    warnings.push_back(
        fmt::format("{}: scanner {}, controls' are {}", id, scanner, fmt::join(all, ", ")));
  return warnings;
}

}  // namespace scintigen
