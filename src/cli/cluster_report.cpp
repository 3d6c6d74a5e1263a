// SPDX-License-Identifier: Apache-2.0
#include "cli/cluster_report.h"

#include <cmath>

#include "core/atomic_file.h"
#include "core/error.h"
#include "report/html.h"

namespace scintigen {

std::string place_text(const Point& mm) {
  const auto whole = [](double value) { return std::round(value) + 0.0; };  // no minus 0
  return fmt::format("{:.0f}, {:.0f}, {:.0f}", whole(mm[0]), whole(mm[1]), whole(mm[2]));
}

std::string cluster_words(const Cluster& cluster, const std::string& score_name) {
  return fmt::format("{} ml, peak {} {} at {} mm{}", figure_text(cluster.volume_ml), score_name,
                     figure_text(cluster.peak), place_text(cluster.peak_mm),
                     cluster.region.empty() ? "" : " (" + cluster.region + ")");
}

std::string cluster_title(const Cluster& cluster) {
  return fmt::format("{:.1f} ml, peak {:.2f}{}", cluster.volume_ml, cluster.peak,
                     cluster.region.empty() ? "" : ", " + cluster.region);
}

ResultTable clusters_as_table(const Clusters& clusters, const std::string& what) {
  ResultTable table{what + fmt::format(": {} clusters.", clusters.found.size()),
                    {"rank", "region of the peak", "ml", "peak", "peak x, y, z (mm)",
                     "centre x, y, z (mm)", "mean", "rank score"},
                    {},
                    {1}};
  if (clusters.with_uptake_t) table.columns.emplace_back("uptake, t");
  for (const auto& one : clusters.found) {
    std::vector<std::string> row = {
        std::to_string(one.label),  one.region.empty() ? "–" : one.region,
        figure_text(one.volume_ml), figure_text(one.peak),
        place_text(one.peak_mm),    place_text(one.centre_mm),
        figure_text(one.mean),      figure_text(one.rank_score)};
    if (clusters.with_uptake_t) row.push_back(figure_text(one.uptake_t));
    table.rows.push_back(std::move(row));
  }
  return table;
}

ResultPicture cluster_picture(Overlay& overlay, const Cluster& cluster, const std::string& title,
                              const std::filesystem::path& file, const std::string& description,
                              const std::string& caption) {
  overlay.at = cluster.peak_mm;
  overlay.title = title;
  const auto png = png_bytes(overlay_picture(overlay));
  write_file(file, png);
  return {png, description, caption};
}

}  // namespace scintigen
