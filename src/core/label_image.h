// SPDX-License-Identifier: Apache-2.0
// A volume of whole numbers that name regions (AAL of Debian's mricron-data), and what is where.
// Does: read names and labels, name the region at a point of the world.
// Does not: register; points must be in the label image's own space.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/affine.h"

namespace scintigen {

/// Debian's mricron-data: AAL on the grid of Colin 27.
constexpr const char* kAtlasLabels = "/usr/share/mricron/templates/aal.nii.gz";
constexpr const char* kAtlasNames = "/usr/share/mricron/templates/aal.nii.txt";

/// Label and name of each line such as "1 Precentral_L 2001", in the file's order; other lines are
/// passed over.
/// throws  Error: cannot be read, over 1 MiB, no such line
std::vector<std::pair<int64_t, std::string>> read_label_names(const std::filesystem::path& file);

struct LabelImage {
  Volume labels;                         ///< whole numbers, 0 = no region
  std::map<int64_t, std::string> names;  ///< label -> name

  /// Name of the region at `at` (mm, RAS+, the image's world); where there is none, that of the
  /// nearest labelled voxel within `reach_mm`; "" beyond. A label without a name is "label 17".
  std::string region_near(const Point& at, double reach_mm) const;
};

/// throws  Error: all of read_volume() and read_label_names(); labels that are not whole numbers
///         from 0 to 2^24
/// Checked tests/core/test_label_image.cpp
LabelImage read_label_image(const std::filesystem::path& labels = kAtlasLabels,
                            const std::filesystem::path& names = kAtlasNames);

}  // namespace scintigen
