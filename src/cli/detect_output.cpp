// SPDX-License-Identifier: Apache-2.0
#include "cli/detect_output.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/cluster_report.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/mask_morphology.h"
#include "core/nifti.h"
#include "core/progress.h"
#include "core/resample.h"
#include "core/transform_file.h"
#include "detection/control_uptake.h"
#include "report/html.h"

namespace scintigen {
namespace {

namespace fs = std::filesystem;
constexpr double kMargin_mm = 15;  // around the brain, in pictures
constexpr const char* kDescrip = "scintigen detect; not for diagnosis";

/// The part of `volume` around what is not 0 in `shown` (same grid).
Volume around(const Volume& volume, const Volume& shown) {
  const auto spacing = spacing_mm(volume.voxel_to_world);
  Volume part = volume;
  const auto inside = shown.voxels.ne(0);
  for (int64_t dimension = 0; dimension < 3; ++dimension) {
    auto line = inside;
    for (int64_t other = 2; other >= 0; --other)
      if (other != dimension) line = line.any(other, /*keepdim=*/true);
    const auto places = line.flatten().nonzero();
    if (places.numel() == 0) return volume;
    const auto axis = static_cast<size_t>(2 - dimension);
    const auto margin = static_cast<int64_t>(std::ceil(kMargin_mm / spacing[axis]));
    const int64_t from = std::max<int64_t>(0, places.min().item<int64_t>() - margin);
    const int64_t to =
        std::min(volume.voxels.size(dimension), places.max().item<int64_t>() + margin + 1);
    part.voxels = part.voxels.slice(dimension, from, to);
    for (size_t row = 0; row < 3; ++row)
      part.voxel_to_world[row][3] += static_cast<double>(from) * volume.voxel_to_world[row][axis];
  }
  part.voxels = part.voxels.contiguous();
  return part;
}

/// The maps where the person's own brain is, too, less its edge, and uptake is as asked for.
DetectionMaps inside(DetectionMaps maps, double margin_mm, const std::string& uptake) {
  if (maps.brain.defined()) maps.mask = maps.mask & maps.brain;
  if (margin_mm > 0) maps.mask = erode(maps.mask, margin_mm, spacing_mm(maps.grid.voxel_to_world));
  require(maps.mask.any().item<bool>(),
          "no voxel lies in the detector's brain and in the person's, {:g} mm inside their edge",
          margin_mm);
  if (maps.uptake_t.defined())
    maps.uptake_t = maps.uptake_t.masked_fill(maps.mask.logical_not(), 0);
  if (uptake != "any" && maps.uptake_t.defined()) {
    maps.mask = maps.mask & (uptake == "lower" ? maps.uptake_t.lt(0) : maps.uptake_t.gt(0));
    require(maps.mask.any().item<bool>(), "no voxel has {} uptake than the controls", uptake);
  }
  const auto outside = maps.mask.logical_not();
  for (auto* map : {&maps.score, &maps.z})
    if (map->defined()) *map = map->masked_fill(outside, 0);
  if (maps.p.defined()) maps.p = maps.p.masked_fill(outside, 1);
  return maps;
}

constexpr double kNowhere = -1e30;  // a threshold for z where no z is rare enough

std::string count_words(const Clusters& found, const std::string& score_name) {
  if (found.rule.threshold <= kNowhere)
    return "no cluster: no z is as rare among these controls as --p-value asks";
  return fmt::format("{} clusters at {} {:.4g} and below", found.found.size(), score_name,
                     found.rule.threshold);
}

ResultPage page_of(const std::string& id, const DetectionMaps& maps, const Clusters& found,
                   const std::string& score_name, Settings& settings) {
  ResultPage page;
  page.kind = "Lesion detection";
  page.title = "What stands out in " + id;
  page.dateline = describe_grid(maps.grid);
  page.headline =
      found.found.empty()
          ? "No cluster stands out."
          : "The cluster ranked first: " + cluster_words(found.found.front(), score_name) + ".";
  page.findings.push_back(count_words(found, score_name) + ".");
  if (!found.found.empty())
    page.findings.back() += " Healthy scans have clusters, too: their number was asked for.";
  page.warnings = maps.warnings;
  const auto resolved = settings_to_json(settings);
  for (const auto& [name, value] : resolved.items())
    page.settings.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  return page;
}

}  // namespace

void DetectionSettings::visit(SettingsVisitor& v) {
  v.visit(number("clusters", "the threshold of a person leaves at most so many (Zotova 2025: 10)",
                 1, 1e6),
          clusters);
  v.visit(number("least_ml", "smaller clusters are left out, mL", 0, 1e6), least_ml);
  v.visit(number("margin_mm",
                 "edge of the brain that is left out: there, another shape of the brain stands out "
                 "before any lesion does",
                 0, 50),
          margin_mm);
  v.visit(
      choice("uptake",
             "clusters where the smoothed uptake of the tracer is lower than the controls' mean, "
             "higher, or any: one-class machines and distances stand out either way (baseline's "
             "z and residual: by less alone)",
             {"any", "lower", "higher"}),
      uptake);
  v.visit(text("native",
               "prepare's folder native, its transforms beside it: clusters and maps in each "
               "person's own space as well, pictures on the T1"),
          native);
  v.visit(choice("atlas", "names of the regions of clusters in template space: AAL if it is there",
                 {"auto", "none"}),
          atlas);
  v.visit(number("pictures", "clusters drawn on three planes", 0, 1000), pictures);
}

void DetectionSettings::require_uptake_of(const std::vector<std::string>& modalities) const {
  require(uptake == "any" || tracer_modality(modalities),
          "--uptake {}: there is no PET or SPECT among {}; leave it out", uptake,
          fmt::join(modalities, ", "));
}

/// Where a person's own maps lie.
struct DetectionWriter::OwnSpace {
  Volume anatomy;
  SpatialMap to_template = identity_affine();
};

DetectionWriter::DetectionWriter(const DetectionSettings& settings, fs::path out,
                                 const VolumeCohort& cohort, Settings& all_settings)
    : settings_(settings),
      out_(std::move(out)),
      all_settings_(all_settings),
      deformed_(cohort.template_fit == "deformable") {
  const auto& space = cohort.space;
  if (!settings.native.empty()) {
    native_ = read_volume_cohort(settings.native);
    require(native_->space == "native" && space == "template",
            "--native {}: of space {}, the detector's scans of {}; expected prepare's native "
            "beside template",
            settings.native, native_->space, space);
  }
  if (settings.atlas == "auto" && space == "template" && fs::exists(kAtlasLabels))
    atlas_ = read_label_image();
}

DetectionWriter::OwnSpace DetectionWriter::own_space(const std::string& id) const {
  const std::string end = "_from-template.tfm";
  // "native/" and "native" have other parents.
  const auto folder = (fs::absolute(native_->folder) / "..").lexically_normal() / "transforms" / id;
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto name = entry.path().filename().string();
    if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0)
      files.push_back(entry.path());
  }
  require(files.size() == 1, "--native {}: {} maps to the template in {}; expected one, of prepare",
          settings_.native, files.size(), folder.string());
  // "sub-01_T1w_from-template.tfm": the scan whose world the own space is.
  const auto name = files.front().filename().string();
  const auto modality = name.substr(id.size() + 1, name.size() - id.size() - 1 - end.size());
  const auto row = native_->find(id, modality);
  OwnSpace own;
  own.anatomy = {map_voxels(*native_, row), native_->volumes[row].grid.voxel_to_world, "1"};
  SpatialMap from_template = read_transform(files.front());
  const auto warp = fs::path(files.front()).replace_extension().string() + "_warp.nii.gz";
  require(fs::exists(warp) == deformed_,
          "--native {}: {} is {}, but the scored scans were prepared with --template-fit {}; name "
          "the native folder of the same preparation",
          settings_.native, warp, deformed_ ? "not there" : "there",
          deformed_ ? "deformable" : "affine");
  // A point goes through the displacements first.
  if (deformed_) from_template = compose(from_template, read_spatial_map(warp));
  own.to_template = inverse(from_template);
  return own;
}

void DetectionWriter::draw(const fs::path& folder, const Volume& anatomy, const Volume& scores,
                           const Clusters& clusters, const std::string& score_name,
                           ResultPage& page) const {
  ResultSection section{"pictures", "On three planes", {}, {}, {}};
  Overlay overlay;
  overlay.anatomy = around(anatomy, scores);
  overlay.scores = around(scores, scores);
  overlay.score_name = score_name;
  overlay.threshold = std::max(std::abs(clusters.rule.threshold), 1e-6);
  overlay.highest =
      std::max(overlay.threshold * 1.001,
               std::min(scores.voxels.abs().max().item<double>(), 4 * overlay.threshold));
  const auto shown = std::min(clusters.found.size(), static_cast<size_t>(settings_.pictures));
  for (size_t r = 0; r < shown; ++r) {
    const auto& one = clusters.found[r];
    const auto words = cluster_title(one);
    section.pictures.push_back(cluster_picture(
        overlay, one, fmt::format("cluster {}: {}", one.label, words),
        folder / fmt::format("overlay_{}.png", one.label),
        fmt::format("Axial, coronal and sagittal plane through the peak, {} in colour", score_name),
        fmt::format("Cluster {}: {}. {} of {:.4g} or less in blue; the patient's right is on the "
                    "left.",
                    one.label, words, score_name, -overlay.threshold)));
  }
  if (shown > 0) page.sections.push_back(section);
}

Clusters DetectionWriter::write(const std::string& id, const DetectionMaps& found_maps) const {
  const auto maps = inside(found_maps, settings_.margin_mm, settings_.uptake);
  const auto folder = out_ / id;
  fs::create_directories(folder);
  const auto file = [&](const std::string& what) {
    return folder / fmt::format("{}_{}", id, what);
  };
  const auto volume = [&](const torch::Tensor& voxels) {
    return Volume{voxels, maps.grid.voxel_to_world, "1"};
  };
  for (const auto& [what, voxels] :
       {std::pair{"score", &maps.score}, std::pair{"z", &maps.z}, std::pair{"p", &maps.p},
        std::pair{"uptake-t", &maps.uptake_t}})
    if (voxels->defined())
      write_nifti(file(fmt::format("{}.nii.gz", what)), volume(*voxels), kDescrip);
  const std::string score_name = maps.z.defined() ? "z" : "score";
  const auto ranked = volume(maps.z.defined() ? maps.z : maps.score);
  ClusterRule rule;
  rule.direction = Direction::kBelow;
  rule.threshold = std::max(maps.mildest, kNowhere);
  rule.least_ml = settings_.least_ml;
  rule.threshold = threshold_for_at_most(ranked, rule, settings_.clusters, maps.mask);
  auto found = find_clusters(ranked, rule, maps.mask);
  if (maps.uptake_t.defined()) set_uptake_t(found, maps.uptake_t);
  if (atlas_) name_regions(found, *atlas_, identity_affine());
  write_nifti(file("clusters.nii.gz"), volume(found.labels.to(torch::kFloat)), kDescrip);
  write_table(file("clusters.tsv"), cluster_table({&found}));
  auto own_clusters = found;
  Volume own_map = ranked, anatomy = volume(maps.scan.defined() ? maps.scan : ranked.voxels);
  if (native_) {
    const auto own = own_space(id);
    const auto grid = grid_of(own.anatomy);
    anatomy = own.anatomy;
    own_map = resample(ranked, grid, own.to_template, Interpolation::kLinear);
    own_clusters = clusters_on(found, maps.grid, grid, own.to_template);
    write_nifti(file(fmt::format("space-native_{}.nii.gz", score_name)), own_map, kDescrip);
    write_nifti(file("space-native_clusters.nii.gz"),
                {own_clusters.labels.to(torch::kFloat), grid.voxel_to_world, "1"}, kDescrip);
    write_table(file("space-native_clusters.tsv"), cluster_table({&own_clusters}));
  }
  auto page = page_of(id, maps, own_clusters, score_name, all_settings_);
  draw(folder, anatomy, own_map, own_clusters, score_name, page);
  ResultSection table{"clusters", "Clusters", {}, {}, {}};
  table.paragraphs.push_back(
      maps.method +
      fmt::format(" Clusters of voxels that touch by faces, edges or corners, by size and mean {} "
                  "with equal weight. Places in mm of {} (x right, y front, z head).",
                  score_name, native_ ? "the person's own T1" : "the space of the prepared scans"));
  if (maps.surround_mm > 0)
    table.paragraphs.push_back(
        fmt::format("PET and SPECT were taken relative to the uptake around each voxel (a Gaussian "
                    "of {:g} mm in the brain): focal changes stand out, what a whole region or "
                    "hemisphere has less does not.",
                    maps.surround_mm));
  if (maps.uptake_t.defined())
    table.paragraphs.push_back(fmt::format(
        "Uptake, t: mean over the cluster of the smoothed relative uptake against "
        "the controls; below 0 is less than in the mean control.{}",
        settings_.uptake == "any"
            ? ""
            : fmt::format(" Clusters are only where it is {} (--uptake {}).",
                          settings_.uptake == "lower" ? "below 0" : "above 0", settings_.uptake)));
  table.tables.push_back(clusters_as_table(own_clusters, "Ranked"));
  page.sections.push_back(table);
  write_file(folder / "report.html", result_page(page));
  say(id + ": " + count_words(found, score_name));
  return found;
}

}  // namespace scintigen
