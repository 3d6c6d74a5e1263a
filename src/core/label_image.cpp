// SPDX-License-Identifier: Apache-2.0
#include "core/label_image.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

constexpr uint64_t kLargestNames = 1 << 20;
constexpr float kMostLabel = 16777216;  // 2^24: whole numbers that a float32 tells apart

}  // namespace

std::vector<std::pair<int64_t, std::string>> read_label_names(const std::filesystem::path& file) {
  std::istringstream lines(read_file(file, kLargestNames));
  std::vector<std::pair<int64_t, std::string>> names;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    int64_t label = 0;
    std::string name;
    if (words >> label >> name) names.emplace_back(label, name);
  }
  require(!names.empty(), "{}: no line '1 Name_L'; expected the names of the labels",
          file.string());
  return names;
}

std::string LabelImage::region_near(const Point& at, double reach_mm) const {
  const auto grid = labels.voxels.accessor<float, 3>();
  const int64_t n[3] = {grid.size(2), grid.size(1), grid.size(0)};
  const auto spacing = spacing_mm(labels.voxel_to_world);
  const Point place = transform_point(inverse(labels.voxel_to_world), at);
  int64_t first[3], last[3];
  for (size_t axis = 0; axis < 3; ++axis) {
    if (!std::isfinite(place[axis])) return "";
    const double reach = reach_mm / spacing[axis];
    const auto bounded = [&](double voxel) {
      return static_cast<int64_t>(std::clamp(voxel, -1.0, static_cast<double>(n[axis])));
    };
    first[axis] = std::max<int64_t>(0, bounded(std::floor(place[axis] - reach)));
    last[axis] = std::min<int64_t>(n[axis] - 1, bounded(std::ceil(place[axis] + reach)));
  }
  double nearest = std::numeric_limits<double>::infinity();
  int64_t found = 0;
  for (int64_t k = first[2]; k <= last[2]; ++k)
    for (int64_t j = first[1]; j <= last[1]; ++j)
      for (int64_t i = first[0]; i <= last[0]; ++i) {
        if (grid[k][j][i] == 0) continue;
        const Point centre = transform_point(
            labels.voxel_to_world,
            {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
        // Inside a labelled voxel the label holds, however far a coarse voxel's centre is.
        const bool inside = std::abs(static_cast<double>(i) - place[0]) <= 0.5 &&
                            std::abs(static_cast<double>(j) - place[1]) <= 0.5 &&
                            std::abs(static_cast<double>(k) - place[2]) <= 0.5;
        const double mm =
            inside ? 0 : std::hypot(centre[0] - at[0], centre[1] - at[1], centre[2] - at[2]);
        if (mm > reach_mm || mm >= nearest) continue;
        nearest = mm;
        found = static_cast<int64_t>(grid[k][j][i]);
      }
  if (found == 0) return "";
  const auto name = names.find(found);
  return name == names.end() ? fmt::format("label {}", found) : name->second;
}

LabelImage read_label_image(const std::filesystem::path& labels,
                            const std::filesystem::path& names) {
  LabelImage image;
  image.labels = read_volume(labels);
  const auto& voxels = image.labels.voxels;
  require(((voxels >= 0) & (voxels <= kMostLabel) & (voxels == voxels.floor())).all().item<bool>(),
          "{}: holds other values than whole numbers from 0; expected a label image",
          labels.string());
  for (const auto& [label, name] : read_label_names(names)) image.names[label] = name;
  return image;
}

}  // namespace scintigen
