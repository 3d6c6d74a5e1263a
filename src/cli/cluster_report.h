// SPDX-License-Identifier: Apache-2.0
// Clusters in words, tables and pictures for a result page: `siscom` and `detect`.
#pragma once
#include <filesystem>
#include <string>

#include "core/overlay_picture.h"
#include "detection/clusters.h"
#include "report/result_page.h"

namespace scintigen {

/// "-12, 0, 43"
std::string place_text(const Point& mm);
/// "3.1 ml, peak z 4.2 at -12, 0, 43 mm (Temporal_Sup_L)"
std::string cluster_words(const Cluster& cluster, const std::string& score_name);
/// "3.1 ml, peak 4.20, Temporal_Sup_L": for pictures, ASCII where the region's name is.
std::string cluster_title(const Cluster& cluster);
/// By rank; the caption is `what` and their number.
ResultTable clusters_as_table(const Clusters& clusters, const std::string& what);

/// The three planes of `overlay` through the cluster's peak: written to `file`, and for the page.
ResultPicture cluster_picture(Overlay& overlay, const Cluster& cluster, const std::string& title,
                              const std::filesystem::path& file, const std::string& description,
                              const std::string& caption);

}  // namespace scintigen
