// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "cli/cluster_report.h"
#include "cli/siscom_output.h"
#include "core/progress.h"
#include "core/table.h"
#include "report/html.h"

namespace scintigen {
namespace {

std::string figure_or_none(const std::optional<double>& value, int digits = 3) {
  return value ? figure_text(*value, digits) : "–";
}

ResultSection cluster_section(const SiscomSettings& settings, const SiscomResult& result) {
  ResultSection section{"clusters", "Clusters", {}, {}, {}};
  section.paragraphs.push_back(fmt::format(
      "Voxels whose difference is at least {} SD, joined by faces, edges or corners; clusters "
      "under "
      "{} ml left out. Ranked by size and mean score with equal weight. Places in mm of the MRI's "
      "own space (x right, y front, z head). Of noise alone {:.1f} % of the voxels lie beyond the "
      "threshold on each side, so small clusters are expected in any pair of scans.",
      number_text(settings.threshold), number_text(settings.least_ml),
      50 * std::erfc(settings.threshold / std::sqrt(2.0))));
  for (const auto& made : result.made) {
    section.tables.push_back(clusters_as_table(made.mri.above, "Increases, " + made.name));
    section.tables.push_back(clusters_as_table(made.mri.below, "Decreases, " + made.name));
  }
  return section;
}

ResultSection normal_section(const SiscomSettings& settings, const SiscomResult& result) {
  ResultSection section{"normal", "Against normal differences", {}, {}, {}};
  section.paragraphs.push_back(fmt::format(
      "Scans smoothed by {} mm; each voxel's difference against the mean and SD of differences "
      "between two scans of healthy people (template space); t of {} or more.",
      number_text(settings.normal_smooth_mm), number_text(settings.normal_threshold)));
  for (const auto& made : result.made) {
    if (!made.normal) continue;
    section.tables.push_back(clusters_as_table(made.normal->above, "Increases, " + made.name));
    section.tables.push_back(clusters_as_table(made.normal->below, "Decreases, " + made.name));
  }
  return section;
}

ResultSection agreement_section(const MapAgreement& a, double threshold) {
  ResultSection section{"agreement", "Real against synthetic interictal scan", {}, {}, {}};
  section.tables.push_back(
      {"How alike the two maps are.",
       {"measure", "value"},
       {{"correlation of z in the brain", figure_text(a.correlation)},
        {fmt::format("Dice of z >= {}", number_text(threshold)), figure_or_none(a.dice_above)},
        {fmt::format("Dice of z <= {}", number_text(-threshold)), figure_or_none(a.dice_below)},
        {"peaks of the first clusters apart, mm", figure_or_none(a.peaks_apart_mm)},
        {"centres of the first clusters apart, mm", figure_or_none(a.centres_apart_mm)},
        {"Dice of the first clusters", figure_or_none(a.top_overlap)}},
       {}});
  return section;
}

ResultSection registration_section(const SiscomResult& result) {
  static constexpr const char* kFlips[] = {"as stored", "mirrored fits better", "cannot tell",
                                           "not checked"};
  ResultSection section{"registrations", "Registrations", {}, {}, {}};
  ResultTable table{fmt::format("Below a score of {} a registration is doubtful; 0.15 to 0.4 is "
                                "usual.",
                                number_text(kRegistrationDoubtful)),
                    {"registration", "score", "left and right", "trusted"},
                    {},
                    {2, 3}};
  for (const auto& map : result.maps) {
    if (map.registration)
      table.rows.push_back({map.name, figure_text(map.registration->score),
                            kFlips[static_cast<size_t>(map.registration->flip)],
                            map.doubt.empty() ? "yes" : "no"});
    else
      table.rows.push_back({map.name, "–", "–", "as stated"});
  }
  section.tables.push_back(table);
  return section;
}

ResultSection methods_section(const SiscomSettings& settings, const SiscomResult& result) {
  ResultSection section{"methods", "Methods", {}, {}, {}};
  section.paragraphs.push_back(fmt::format(
      "Rigid registration by mutual information; both scans brought to {} mm voxels of the MRI's "
      "space with one interpolation each (third-order B-spline){}; counts made equal by {}; "
      "difference in % of the ictal scan's mean in the brain; z = difference / its SD in the "
      "brain. "
      "Maps in the ictal scan's space are made from its own voxels by the same factors.",
      number_text(settings.spacing_mm),
      settings.smooth_mm > 0 ? fmt::format(", smoothed by {} mm", number_text(settings.smooth_mm))
                             : "",
      settings.counts == "mean"        ? "the means of the brain"
      : settings.counts == "reference" ? "the means of the reference region"
                                       : "a robust line through all brain voxels"));
  for (const auto& made : result.made)
    section.paragraphs.push_back(
        fmt::format("{}: factor on the {} scan's counts {}; difference {} % on average, SD {} %.",
                    made.name, made.name, figure_text(made.subtraction.factors.interictal_factor),
                    fmt::format("{:.2f}", std::round(100 * made.subtraction.mean) / 100 + 0.0),
                    figure_text(made.subtraction.sd)));
  return section;
}

std::string headline_of(const SiscomResult& result) {
  if (!result.left_out.empty()) return "Nothing was subtracted: " + result.left_out + ".";
  const auto& first = result.made.front();
  if (first.mri.above.found.empty()) return "No increase stands out.";
  return "The increase ranked first: " + cluster_words(first.mri.above.found.front(), "z") + ".";
}

}  // namespace

ResultPage siscom_page(SiscomSettings& settings, const SiscomResult& result,
                       const std::vector<ResultPicture>& pictures) {
  ResultPage page;
  page.kind = "SISCOM";
  page.title = "Ictal minus interictal SPECT";
  page.dateline = fmt::format("Brain of {} ml; voxels of {} mm", figure_text(result.brain_ml, 4),
                              number_text(settings.spacing_mm));
  page.headline = headline_of(result);
  for (const auto& made : result.made) {
    page.findings.push_back(fmt::format("With the {} scan: {} increases and {} decreases.",
                                        made.name, made.mri.above.found.size(),
                                        made.mri.below.found.size()));
    if (!made.mri.below.found.empty())
      page.findings.push_back(
          "Decrease ranked first: " + cluster_words(made.mri.below.found.front(), "z") + ".");
  }
  if (settings.interictal.empty())
    page.findings.push_back(
        "The interictal scan is synthetic: made by a model, not measured in this person.");
  page.warnings = result.warnings;
  if (result.left_out.empty()) {
    page.sections.push_back({"pictures", "On three planes", {}, pictures, {}});
    page.sections.push_back(cluster_section(settings, result));
    if (result.agreement)
      page.sections.push_back(agreement_section(*result.agreement, settings.threshold));
    if (!settings.normal_sd.empty()) page.sections.push_back(normal_section(settings, result));
  }
  page.sections.push_back(registration_section(result));
  if (result.left_out.empty()) page.sections.push_back(methods_section(settings, result));
  const auto resolved = settings_to_json(settings);
  for (const auto& [name, value] : resolved.items())
    page.settings.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  return page;
}

}  // namespace scintigen
