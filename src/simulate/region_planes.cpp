// SPDX-License-Identifier: Apache-2.0
#include "simulate/region_planes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "simulate/slice_truth.h"

namespace scintigen {
namespace {

constexpr double kScanFwhmMm = 10;
constexpr double kSigmaMm = kScanFwhmMm / 2.3548200450309493;
constexpr double kReachMm = 2.5 * kSigmaMm, kStepMm = 1;  // along z
constexpr float kQuiet = 0.3F;  // counts of white matter and fluid, gray matter 1
constexpr float kMask = 0.2F;   // of the maximum, as in metrics/slice_statistics.h
constexpr double kMiddleY = -20;
constexpr int64_t kFine = 4;  // samples along the edge of a pixel

struct Group {
  const char* name;
  std::vector<const char*> starts;  // of AAL's names
};

const std::vector<Group>& groups() {
  static const std::vector<Group> all = {
      {"frontal",
       {"Precentral", "Frontal_", "Rolandic_", "Supp_Motor", "Olfactory", "Rectus", "Paracentral"}},
      {"parietal", {"Postcentral", "Parietal_", "SupraMarginal", "Angular", "Precuneus"}},
      {"temporal", {"Temporal_", "Heschl", "Fusiform"}},
      {"occipital", {"Occipital_", "Calcarine", "Cuneus", "Lingual"}},
      {"insula", {"Insula"}},
      {"cingulate", {"Cingulum_"}},
      {"hippocampal", {"Hippocampus", "ParaHippocampal", "Amygdala"}},
      {"striatum", {"Caudate", "Putamen", "Pallidum"}},
      {"thalamus", {"Thalamus"}},
      {"cerebellum", {"Cerebel"}},
      {"vermis", {"Vermis"}},
      {"brain_stem", {"Brain_Stem"}}};
  return all;
}

/// Names of all regions, and the number of each of the template's (0 = none of them).
struct Grouping {
  std::vector<std::string> names;  // [number - 1]
  std::vector<size_t> number;      // by TemplateHead::regions
};

Grouping group_regions(const TemplateHead& head) {
  Grouping grouping;
  grouping.number.assign(head.regions.size(), 0);
  bool any = false;
  for (const auto& group : groups())
    for (const Side side : {Side::kLeft, Side::kRight, Side::kMiddle}) {
      const char* const suffix = side == Side::kLeft    ? "_left"
                                 : side == Side::kRight ? "_right"
                                                        : "";
      bool found = false;
      for (size_t r = 1; r < head.regions.size(); ++r) {
        const auto& region = head.regions[r];
        const bool member =
            region.side == side &&
            std::any_of(group.starts.begin(), group.starts.end(), [&](const char* start) {
              return region.name.compare(0, std::strlen(start), start) == 0;
            });
        if (!member) continue;
        if (!found) grouping.names.push_back(std::string(group.name) + suffix);
        found = true;
        any = any || region.structure != Structure::kBrainStem;
        grouping.number[r] = grouping.names.size();
      }
    }
  require(any,
          "template: none of the label names is AAL's (Frontal_Sup_L, ...); expected the AAL "
          "label image, or planes of your own");
  return grouping;
}

/// What each region, and white matter with fluid (the last), gives to a level's slice:
/// [regions + 1][fine][fine], before it is blurred in the plane.
std::vector<std::vector<float>> counts_of_level(const TemplateHead& head, const Grouping& grouping,
                                                double z, int64_t fine, double fine_mm) {
  const size_t quiet = grouping.names.size();
  std::vector<std::vector<float>> counts(quiet + 1, std::vector<float>(fine * fine, 0.0F));
  const Affine to_voxel = inverse(head.grid.voxel_to_world);
  const Grid& grid = head.grid;
  const double half = static_cast<double>(fine - 1) / 2;
  for (double dz = -std::floor(kReachMm); dz <= kReachMm; dz += kStepMm) {
    const auto weight = static_cast<float>(std::exp(-0.5 * dz * dz / (kSigmaMm * kSigmaMm)));
    for (int64_t p = 0; p < fine * fine; ++p) {
      const double x = (half - static_cast<double>(p % fine)) * fine_mm;
      const double y = kMiddleY + (half - static_cast<double>(p / fine)) * fine_mm;
      const Point place = transform_point(to_voxel, {x, y, z + dz});
      const int64_t i = std::lround(place[0]), j = std::lround(place[1]), k = std::lround(place[2]);
      if (i < 0 || j < 0 || k < 0 || i >= grid.ni || j >= grid.nj || k >= grid.nk) continue;
      const auto v = static_cast<size_t>(i + grid.ni * (j + grid.nj * k));
      if (head.region[v] == 0) continue;
      const auto& voxel = head.voxel[v];
      const size_t number = grouping.number[head.region[v]];
      const auto at = static_cast<size_t>(p);
      counts[number == 0 ? quiet : number - 1][at] += weight * voxel.gray;
      counts[quiet][at] += weight * kQuiet * (voxel.white + voxel.csf);
    }
  }
  return counts;
}

/// Mean over each pixel's kFine x kFine samples.
std::vector<float> on_pixels(const std::vector<float>& fine, int64_t matrix) {
  std::vector<float> pixels(static_cast<size_t>(matrix * matrix), 0.0F);
  const int64_t side = kFine * matrix;
  for (int64_t p = 0; p < side * side; ++p)
    pixels[static_cast<size_t>(p / side / kFine * matrix + p % side / kFine)] +=
        fine[static_cast<size_t>(p)] / static_cast<float>(kFine * kFine);
  return pixels;
}

/// Numbers of Grouping::names in a level's plane, 0 = none.
std::vector<size_t> label_level(const TemplateHead& head, const Grouping& grouping, double z,
                                int64_t matrix, double fov_mm) {
  const int64_t fine = kFine * matrix;
  const double fine_mm = fov_mm / static_cast<double>(fine), sigma = kSigmaMm / fine_mm;
  const size_t quiet = grouping.names.size(), pixels = static_cast<size_t>(matrix * matrix);
  std::vector<size_t> label(pixels, 0);
  std::vector<float> most(pixels, 0.0F), all(pixels, 0.0F);
  auto counts = counts_of_level(head, grouping, z, fine, fine_mm);
  for (size_t number = 0; number <= quiet; ++number) {
    gaussian_blur(counts[number].data(), fine, fine, 1, {sigma, sigma, 0});
    const auto mean = on_pixels(counts[number], matrix);
    for (size_t p = 0; p < pixels; ++p) {
      all[p] += mean[p];
      if (mean[p] <= most[p]) continue;
      most[p] = mean[p];
      label[p] = number == quiet ? 0 : number + 1;
    }
  }
  const float edge = kMask * *std::max_element(all.begin(), all.end());
  for (size_t p = 0; p < pixels; ++p)
    if (all[p] <= edge) label[p] = 0;
  return label;
}

}  // namespace

RegionPlanes region_planes(const TemplateHead& head, int64_t matrix, double fov_mm,
                           int64_t fewest_pixels) {
  require(matrix >= 16 && matrix <= 512, "region planes: matrix {}; expected 16 to 512", matrix);
  require(fov_mm >= 100 && fov_mm <= 1000,
          "region planes: field of view {} mm; expected 100 to 1000", fov_mm);
  require(fewest_pixels >= 1, "region planes: fewest pixels {}; expected at least 1",
          fewest_pixels);
  const Grouping grouping = group_regions(head);
  std::map<std::string, std::vector<size_t>> labels;
  std::vector<bool> kept(grouping.names.size() + 1, false);
  for (const auto& level : levels()) {
    auto& plane = labels[level.name] = label_level(head, grouping, level.z, matrix, fov_mm);
    std::vector<int64_t> pixels(kept.size(), 0);
    for (const size_t number : plane) ++pixels[number];
    for (size_t& number : plane) {
      if (pixels[number] < fewest_pixels) number = 0;
      kept[number] = true;
    }
  }
  RegionPlanes result;
  std::vector<uint8_t> dense(kept.size(), 0);  // at most 25 regions
  for (size_t number = 1; number < kept.size(); ++number) {
    if (!kept[number]) continue;
    result.regions.push_back(grouping.names[number - 1]);
    dense[number] = static_cast<uint8_t>(result.regions.size());
  }
  for (const auto& [level, plane] : labels) {
    auto& tensor = result.planes[level] = torch::zeros({matrix, matrix}, torch::kUInt8);
    std::transform(plane.begin(), plane.end(), tensor.data_ptr<uint8_t>(),
                   [&](size_t number) { return dense[number]; });
  }
  return result;
}

}  // namespace scintigen
