// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <optional>

#include "core/axial_view.h"
#include "core/error.h"
#include "core/table.h"
#include "core/volume_io.h"
#include "metrics/region_atlas.h"

namespace scintigen {
namespace {

constexpr size_t kMostRegions = 255;
constexpr double kMostLabel = 16777216;  // 2^24: whole numbers that a float32 tells apart

std::filesystem::path table_beside(const std::filesystem::path& stack) {
  auto table = stack;
  if (table.extension() == ".gz") table.replace_extension();
  table.replace_extension(".tsv");
  require(std::filesystem::exists(table),
          "{}: no {} beside it; expected a table with the columns kind, label, name",
          stack.string(), table.filename().string());
  return table;
}

/// What the table says, checked in itself and against the number of planes.
struct Legend {
  std::string where, column;
  std::vector<std::string> regions;
  std::map<int64_t, uint8_t> region_of_label;  // 1, 2, ... in the order of the table
  std::vector<std::string> value_of_plane;     // of `column`
};

template <class Names>
void require_new_name(const Names& names, const std::string& name, const Table& table, size_t row,
                      const char* what) {
  require(!name.empty() && name != "n/a", "{} row {}: {} without a name", table.name, row + 2,
          what);
  for (const auto& other : names)
    require(other != name, "{} row {}: {} '{}' is there twice", table.name, row + 2, what, name);
}

void add_region(Legend& legend, const Table& table, size_t row, int64_t label) {
  const auto& name = table.at(row, "name");
  require_new_name(legend.regions, name, table, row, "region");
  require(label >= 1 && label <= static_cast<int64_t>(kMostLabel),
          "{} row {}: label {} of region '{}'; expected a whole number from 1", table.name, row + 2,
          label, name);
  require(legend.regions.size() < kMostRegions, "{} row {}: more than {} regions; join some",
          table.name, row + 2, kMostRegions);
  legend.regions.push_back(name);
  const bool added =
      legend.region_of_label.emplace(label, static_cast<uint8_t>(legend.regions.size())).second;
  require(added, "{} row {}: label {} has two names", table.name, row + 2, label);
}

void add_plane(Legend& legend, const Table& table, size_t row, int64_t plane) {
  const auto& kind = table.at(row, "kind");
  const auto& name = table.at(row, "name");
  require(!kind.empty() && kind != "n/a",
          "{} row {}: no kind; expected 'region', or the column of the slice table that chooses a "
          "plane, such as 'level'",
          table.name, row + 2);
  if (legend.column.empty()) legend.column = kind;
  require(kind == legend.column,
          "{} row {}: planes by '{}' and by '{}'; expected one column of the slice table",
          table.name, row + 2, legend.column, kind);
  require_new_name(legend.value_of_plane, name, table, row, "plane");
  const auto planes = static_cast<int64_t>(legend.value_of_plane.size());
  require(plane >= 0 && plane < planes, "{} row {}: plane {}; the stack has planes 0 to {}",
          table.name, row + 2, plane, planes - 1);
  auto& value = legend.value_of_plane[static_cast<size_t>(plane)];
  require(value.empty(), "{} row {}: plane {} is '{}' and '{}'; expected one row a plane",
          table.name, row + 2, plane, value, name);
  value = name;
}

Legend read_legend(const std::filesystem::path& path, int64_t planes) {
  const Table table = read_table(path);
  Legend legend;
  legend.where = path.string();
  // Not more than the table can name: a stack may claim any number.
  require(planes <= static_cast<int64_t>(table.rows.size()),
          "{}: {} rows for a stack of {} planes; expected one row a plane and one a region",
          legend.where, table.rows.size(), planes);
  legend.value_of_plane.resize(static_cast<size_t>(planes));
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const int64_t label = table.integer_at(row, "label");
    if (table.at(row, "kind") == "region")
      add_region(legend, table, row, label);
    else
      add_plane(legend, table, row, label);
  }
  for (size_t plane = 0; plane < legend.value_of_plane.size(); ++plane)
    require(!legend.value_of_plane[plane].empty(),
            "{}: plane {} of the stack has no row; expected one such as 'level  {}  cortex'",
            legend.where, plane, plane);
  require(!legend.regions.empty(), "{}: no row of kind 'region'", legend.where);
  return legend;
}

/// float32 labels of the file -> uint8 [rows,columns] of `legend`.
torch::Tensor numbered_plane(const Volume& stack, const AxialView& view, int64_t plane,
                             const Legend& legend, const std::string& where) {
  const auto stored = stack.voxels[plane].contiguous();  // [j,i]
  const float* const label = stored.data_ptr<float>();
  auto numbers = torch::zeros(stored.sizes(), torch::kUInt8);
  uint8_t* const number = numbers.data_ptr<uint8_t>();
  std::optional<float> last;  // labels come in runs
  uint8_t last_number = 0;
  bool any = false;
  for (int64_t p = 0; p < stored.numel(); ++p) {
    if (!last || label[p] != *last) {
      const double value = label[p];
      const int64_t width = stored.size(1);
      require(value >= 0 && value <= kMostLabel && value == std::floor(value),
              "{}: label {} at [{},{}] of plane {}; expected whole numbers from 0", where, value,
              p % width, p / width, plane);
      const auto found = legend.region_of_label.find(static_cast<int64_t>(value));
      require(value == 0 || found != legend.region_of_label.end(),
              "{}: label {} at [{},{}] of plane {} has no name; add a row 'region  {}  NAME' to {}",
              where, value, p % width, p / width, plane, value, legend.where);
      last = label[p];
      last_number = value == 0 ? 0 : found->second;
    }
    number[p] = last_number;
    any = any || last_number != 0;
  }
  require(any, "{}: plane {} ({}) holds no label above 0", where, plane,
          legend.value_of_plane[static_cast<size_t>(plane)]);
  return oriented(numbers, view);
}

}  // namespace

RegionAtlas read_region_atlas(const std::filesystem::path& path) {
  const auto where = path.string();
  const Volume stack = read_volume(path);
  const AxialView view = axial_view(stack.voxel_to_world, where);
  const int64_t planes = stack.voxels.size(0);
  const Legend legend = read_legend(table_beside(path), planes);
  RegionAtlas atlas;
  atlas.name = path.filename().string();
  atlas.column = legend.column;
  atlas.regions = legend.regions;
  for (int64_t plane = 0; plane < planes; ++plane)
    atlas.planes[legend.value_of_plane[static_cast<size_t>(plane)]] =
        numbered_plane(stack, view, plane, legend, where);
  return atlas;
}

}  // namespace scintigen
