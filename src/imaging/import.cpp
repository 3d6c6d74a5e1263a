// SPDX-License-Identifier: Apache-2.0
#include "imaging/import.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/volume_io.h"
#include "imaging/slices.h"

namespace scintigen {
namespace {

constexpr double kTiltWorthTelling_deg = 1;
constexpr double kPixelTolerance = 1e-3;  // relative: pixel sizes that count as the same
constexpr double kHeadThreshold = 0.2;    // of the slice's maximum
constexpr double kSmallHead = 0.5;        // of the field of view

/// Slices in one block of memory that is made once; pages that are never written cost nothing.
class SliceStore {
 public:
  SliceStore(int64_t most, int64_t matrix)
      : slices_(torch::empty({most, matrix, matrix}, torch::kFloat)), pixels_(matrix * matrix) {}
  int64_t add(const torch::Tensor& slice) {
    std::memcpy(slices_.data_ptr<float>() + count_ * pixels_, slice.data_ptr<float>(),
                static_cast<size_t>(pixels_) * sizeof(float));
    return count_++;
  }
  void swap_order(const std::vector<int64_t>& order);
  torch::Tensor filled() const { return slices_.narrow(0, 0, count_); }

 private:
  torch::Tensor slices_;
  int64_t pixels_, count_ = 0;
};

/// Puts slice order[i] at place i, in place.
void SliceStore::swap_order(const std::vector<int64_t>& order) {
  float* base = slices_.data_ptr<float>();
  const auto bytes = static_cast<size_t>(pixels_) * sizeof(float);
  std::vector<float> held(static_cast<size_t>(pixels_));
  std::vector<bool> done(order.size(), false);
  for (size_t start = 0; start < order.size(); ++start) {
    if (done[start] || order[start] == static_cast<int64_t>(start)) continue;
    std::memcpy(held.data(), base + static_cast<int64_t>(start) * pixels_, bytes);
    size_t place = start;
    while (order[place] != static_cast<int64_t>(start)) {
      std::memcpy(base + static_cast<int64_t>(place) * pixels_, base + order[place] * pixels_,
                  bytes);
      done[place] = true;
      place = static_cast<size_t>(order[place]);
    }
    std::memcpy(base + static_cast<int64_t>(place) * pixels_, held.data(), bytes);
    done[place] = true;
  }
}

/// A slice on the model's matrix, divided by its maximum.
struct PreparedSlice {
  torch::Tensor pixels;
  double scale = 0, pixel_mm = 0;
  std::string problem;  ///< not empty: cannot be used
};

class Importer {
 public:
  Importer(const ImportPlan& plan, int64_t wanted)
      : plan_(plan),
        slices_(wanted, plan.settings.matrix),
        neighbours_(2 * wanted, plan.settings.matrix) {
    for (size_t row = 0; row < plan.rows.size(); ++row) {
      row_at_[{plan.rows[row].volume, plan.rows[row].slice}] = row;
    }
    result_.skipped = {"skipped.tsv", {"participant_id", "slice", "file", "reason"}, {}};
  }

  void add_volume(size_t index);
  ImportResult finish();

 private:
  struct Used {
    size_t row;
    int64_t stored;
    double scale, pixel_mm;
  };
  void skip(size_t row, const std::string& reason);
  PreparedSlice prepare(const Volume& volume, const AxialView& view, int64_t slice);
  void add_neighbours(size_t row, const Volume& volume, const AxialView& view);
  bool adjacent(size_t row, int64_t other_slice) const;
  std::string reference(size_t row, int64_t step) const;
  void tell_geometry();

  const ImportPlan& plan_;
  ImportResult result_;
  SliceStore slices_, neighbours_;
  std::map<std::pair<size_t, int64_t>, size_t> row_at_;         // (volume, slice) -> table row
  std::map<std::pair<size_t, int64_t>, int64_t> neighbour_at_;  // (volume, slice) -> stored
  std::map<size_t, int64_t> towards_feet_;                      // of each volume read
  std::vector<Used> used_;
  std::map<size_t, int64_t> new_row_;  // table row -> cohort row
  std::map<std::string, int64_t> grids_;
  int64_t tilted_ = 0, negative_ = 0, cut_ = 0;
  double most_tilt_deg_ = 0, most_negative_ = 0, head_mm_ = 0, most_cut_ = 0;
  std::string most_tilted_;
};

void Importer::skip(size_t row, const std::string& reason) {
  const auto& table = plan_.table;
  result_.skipped.add_row({table.at(row, "participant_id"), table.at(row, "slice"),
                           plan_.volumes[plan_.rows[row].volume].path.filename().string(), reason});
}

PreparedSlice Importer::prepare(const Volume& volume, const AxialView& view, int64_t index) {
  PreparedSlice prepared;
  prepared.problem = slice_problem(volume, index);
  if (!prepared.problem.empty()) return prepared;
  auto slice = axial_slice(volume, view, index);
  const double least = slice.min().item<double>(), most = slice.max().item<double>();
  if (least < 0) {  // reconstructions by filtered back-projection ring below zero; counts cannot be
    ++negative_;
    most_negative_ = std::max(most_negative_, -least / most);
    slice = slice.clamp_min(0);
  }
  const double whole_mm = field_of_view_mm(slice, view.row_mm, view.column_mm);
  const double fov_mm = plan_.settings.fov_mm > 0 ? plan_.settings.fov_mm : whole_mm;
  prepared.pixel_mm = fov_mm / static_cast<double>(plan_.settings.matrix);
  auto pixels =
      resample_to_matrix(slice, view.row_mm, view.column_mm, plan_.settings.matrix, fov_mm);
  prepared.scale = pixels.max().item<double>();
  if (!(prepared.scale > 0) || !std::isfinite(prepared.scale)) {
    prepared.problem = "is empty inside the field of view";
    return prepared;
  }
  prepared.pixels = (pixels / prepared.scale).clamp_(0, 1);
  if (fov_mm < whole_mm) {
    const double before = slice.sum(torch::kDouble).item<double>() * view.row_mm * view.column_mm;
    const double after =
        pixels.sum(torch::kDouble).item<double>() * prepared.pixel_mm * prepared.pixel_mm;
    const double lost = 1 - after / before;
    cut_ += lost > 0.01 ? 1 : 0;
    most_cut_ = std::max(most_cut_, lost);
  }
  const auto head = (prepared.pixels > kHeadThreshold);
  for (const int64_t axis : {0, 1}) {
    const auto places = head.any(axis).nonzero();
    const auto extent = places[-1].item<int64_t>() - places[0].item<int64_t>() + 1;
    head_mm_ = std::max(head_mm_, static_cast<double>(extent) * prepared.pixel_mm);
  }
  return prepared;
}

/// By position where the table has one (slices may be missing from the file), else by index.
bool Importer::adjacent(size_t row, int64_t other_slice) const {
  if (!plan_.has_positions) return true;
  const auto& here = plan_.rows[row];
  const auto other = row_at_.find({here.volume, other_slice});
  if (other == row_at_.end() || !here.position) return false;
  const auto& there = plan_.rows[other->second].position;
  return there && (*there == *here.position + 1 || *there == *here.position - 1);
}

void Importer::add_neighbours(size_t row, const Volume& volume, const AxialView& view) {
  const auto& here = plan_.rows[row];
  for (const int64_t other : {here.slice - 1, here.slice + 1}) {
    if (other < 0 || other >= volume.voxels.size(0) || !adjacent(row, other)) continue;
    const auto as_row = row_at_.find({here.volume, other});
    if (as_row != row_at_.end() && plan_.rows[as_row->second].wanted) continue;
    if (neighbour_at_.count({here.volume, other})) continue;
    const auto prepared = prepare(volume, view, other);
    if (prepared.problem.empty()) {
      neighbour_at_[{here.volume, other}] = neighbours_.add(prepared.pixels);
    }
  }
}

void Importer::add_volume(size_t index) {
  const auto& file = plan_.volumes[index];
  try {
    const auto volume = read_volume(file.path, &result_.notes);
    const auto view = axial_view(volume.voxel_to_world, file.path.string());
    towards_feet_[index] = view.towards_feet;
    if (view.tilt_deg > kTiltWorthTelling_deg) ++tilted_;
    if (view.tilt_deg > most_tilt_deg_) {
      most_tilt_deg_ = view.tilt_deg;
      most_tilted_ = file.path.filename().string();
    }
    const int64_t depth = volume.voxels.size(0);
    double pixel_mm = 0;
    for (const size_t row : file.rows) {
      const int64_t slice = plan_.rows[row].slice;
      if (slice >= depth) {
        skip(row, fmt::format("{}: slice {} asked for; there are 0 to {}", file.path.string(),
                              slice, depth - 1));
        continue;
      }
      const auto prepared = prepare(volume, view, slice);
      if (!prepared.problem.empty()) {
        skip(row, fmt::format("{}: slice {} {}", file.path.string(), slice, prepared.problem));
        continue;
      }
      pixel_mm = prepared.pixel_mm;
      used_.push_back({row, slices_.add(prepared.pixels), prepared.scale, prepared.pixel_mm});
      add_neighbours(row, volume, view);
    }
    if (pixel_mm > 0) {
      ++grids_[fmt::format("{} x {} pixels of {:.4g} x {:.4g} mm -> {} x {} of {:.4g} mm",
                           view.transpose ? volume.voxels.size(2) : volume.voxels.size(1),
                           view.transpose ? volume.voxels.size(1) : volume.voxels.size(2),
                           view.row_mm, view.column_mm, plan_.settings.matrix,
                           plan_.settings.matrix, pixel_mm)];
    }
  } catch (const Error& error) {
    ++result_.bad_volumes;
    for (const size_t row : file.rows) skip(row, error.what());
  }
}

/// "s12", "n3" or "n/a" for the slice `step` away.
std::string Importer::reference(size_t row, int64_t step) const {
  const auto& here = plan_.rows[row];
  const int64_t other = here.slice + step;
  if (!adjacent(row, other)) return "n/a";
  const auto as_row = row_at_.find({here.volume, other});
  if (as_row != row_at_.end()) {
    const auto imported = new_row_.find(as_row->second);
    if (imported != new_row_.end()) return fmt::format("s{}", imported->second);
  }
  const auto stored = neighbour_at_.find({here.volume, other});
  return stored == neighbour_at_.end() ? "n/a" : fmt::format("n{}", stored->second);
}

void Importer::tell_geometry() {
  auto& notes = result_.notes;
  if (tilted_ > 0) {
    notes.push_back(fmt::format(
        "{} of {} volumes are tilted against the patient's axes, up to {:.1f} degrees ({}); slices "
        "are taken as they are stored",
        tilted_, plan_.volumes.size(), most_tilt_deg_, most_tilted_));
  }
  if (negative_ > 0) {
    notes.push_back(fmt::format(
        "{} slices hold negative values, down to {:.2g} of the maximum; they are set to 0",
        negative_, -most_negative_));
  }
  if (cut_ > 0) {
    notes.push_back(
        fmt::format("--fov-mm {} cuts {} slices; up to {:.0f} % of their counts are outside",
                    number_text(plan_.settings.fov_mm), cut_, 100 * most_cut_));
  }
  double least_mm = 0, most_mm = 0;
  for (const auto& used : used_) {
    least_mm = least_mm == 0 ? used.pixel_mm : std::min(least_mm, used.pixel_mm);
    most_mm = std::max(most_mm, used.pixel_mm);
  }
  const bool one_size = most_mm <= least_mm * (1 + kPixelTolerance);
  result_.cohort.pixel_mm = one_size ? most_mm : 0;
  if (!one_size) {
    notes.push_back(fmt::format(
        "pixels differ between volumes, {:.3g} to {:.3g} mm, so that heads appear at different "
        "sizes; give --fov-mm {:.0f} to make them the same",
        least_mm, most_mm, most_mm * static_cast<double>(plan_.settings.matrix)));
  }
  const double fov_mm = most_mm * static_cast<double>(plan_.settings.matrix);
  if (head_mm_ > 0 && head_mm_ < kSmallHead * fov_mm) {
    notes.push_back(fmt::format(
        "heads fill at most {:.0f} of {:.0f} mm of the field of view; --fov-mm {:.0f} would show "
        "them larger",
        head_mm_, fov_mm, 10 * std::ceil(head_mm_ * 1.25 / 10)));
  }
}

ImportResult Importer::finish() {
  std::vector<int64_t> order(used_.size());  // table order again
  std::sort(used_.begin(), used_.end(), [](const Used& a, const Used& b) { return a.row < b.row; });
  for (size_t i = 0; i < used_.size(); ++i) {
    order[i] = used_[i].stored;
    new_row_[used_[i].row] = static_cast<int64_t>(i);
  }
  slices_.swap_order(order);
  auto& cohort = result_.cohort;
  cohort.name = plan_.settings.name;
  cohort.unit = plan_.settings.unit;
  cohort.slices = slices_.filled();
  cohort.neighbours = neighbours_.filled();
  tell_geometry();
  cohort.table = {"slices.tsv", plan_.table.columns, {}};
  for (const char* column : {"scale", "below", "above"}) cohort.table.columns.push_back(column);
  const bool pixel_column = cohort.pixel_mm == 0;
  if (pixel_column) cohort.table.columns.push_back("pixel_mm");
  for (const auto& used : used_) {
    auto cells = plan_.table.rows[used.row];
    const int64_t down = towards_feet_.at(plan_.rows[used.row].volume);
    cells.push_back(number_text(used.scale));
    cells.push_back(reference(used.row, down));
    cells.push_back(reference(used.row, -down));
    if (pixel_column) cells.push_back(number_text(used.pixel_mm));
    cohort.table.add_row(std::move(cells));
  }
  nlohmann::ordered_json grids = nlohmann::ordered_json::array();
  for (const auto& [grid, volumes] : grids_)
    grids.push_back({{"grid", grid}, {"volumes", volumes}});
  nlohmann::ordered_json provenance = {
      {"command", "import"},
      {"where", plan_.settings.where},
      {"rows_in_table", plan_.table.rows.size()},
      {"rows_skipped", result_.skipped.rows.size()},
      {"resampling", "area-weighted where pixels grow, linear where they shrink"},
      {"grids", grids}};
  result_.provenance_json =
      provenance.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return std::move(result_);
}

}  // namespace

ImportResult import_slices(const ImportPlan& plan,
                           const std::function<void(const std::string&)>& progress) {
  int64_t wanted = 0;
  for (const auto& row : plan.rows) wanted += row.wanted ? 1 : 0;
  Importer importer(plan, wanted);
  for (size_t volume = 0; volume < plan.volumes.size(); ++volume) {
    if (plan.volumes[volume].rows.empty()) continue;
    importer.add_volume(volume);
    if (progress) progress(plan.volumes[volume].path.filename().string());
  }
  return importer.finish();
}

}  // namespace scintigen
