// SPDX-License-Identifier: Apache-2.0
#include "imaging/dicom_stack.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kSameCosine = 1e-3;
constexpr double kSamePixel = 1e-3;     // of the spacing
constexpr double kSamePlace_mm = 1e-2;  // closer slices are one slice twice
constexpr double kUneven = 0.02;        // of the spacing: rounding of positions stays below
constexpr double kUneven_mm = 0.02;
constexpr double kSideways = 0.1;  // of a pixel: more is a sheared volume
constexpr double kSidewaysSaid_mm = 0.01;

struct Placed {
  size_t image, frame;
  double distance;  ///< along the normal, mm
};

double dot(const Point& a, const Point& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Point normal_of(const DicomFrame& frame) {
  const Point &a = frame.row, &b = frame.column;
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

bool same_direction(const Point& a, const Point& b) {
  for (size_t i = 0; i < 3; ++i)
    if (std::abs(a[i] - b[i]) > kSameCosine) return false;
  return true;
}

bool same_length(double a, double b) { return std::abs(a - b) <= kSamePixel * std::max(a, b); }

std::string both(const DicomImage& a, const DicomImage& b) {
  return fmt::format("{} and {}", a.path.string(), b.path.filename().string());
}

void check_alike(const DicomImage& first, const DicomImage& image) {
  if (!image.refusal.empty()) throw Error(image.refusal);
  require(image.patient_key == first.patient_key,
          "{}: one series of two patients; sort the files by patient", both(first, image));
  require(image.technical.modality == first.technical.modality,
          "{}: one series of two modalities, {} and {}; expected one", both(first, image),
          first.technical.modality, image.technical.modality);
  require(image.frame_of_reference_uid == first.frame_of_reference_uid,
          "{}: one series with two frames of reference (0020,0052); expected one",
          both(first, image));
  require(image.rows == first.rows && image.columns == first.columns,
          "{}: slices of {} x {} and {} x {} pixels; expected one size", both(first, image),
          first.rows, first.columns, image.rows, image.columns);
  require(image.technical.units == first.technical.units && image.unit == first.unit,
          "{}: slices in two units (0054,1001); expected one", both(first, image));
}

void check_planes(const DicomImage& first, const DicomImage& image) {
  const DicomFrame& model = first.frames.front();
  for (const auto& frame : image.frames) {
    require(same_direction(frame.row, model.row) && same_direction(frame.column, model.column),
            "{}: slices of two orientations (0020,0037): a localiser, or several stacks in one "
            "series; expected one stack",
            both(first, image));
    require(same_length(frame.row_spacing_mm, model.row_spacing_mm) &&
                same_length(frame.column_spacing_mm, model.column_spacing_mm),
            "{}: slices of two pixel spacings (0028,0030), {} x {} and {} x {} mm; expected one",
            both(first, image), model.row_spacing_mm, model.column_spacing_mm, frame.row_spacing_mm,
            frame.column_spacing_mm);
  }
}

/// Two frames at one place: says which of the reasons it is.
[[noreturn]] void refuse_twice(const std::vector<DicomImage>& images,
                               const std::vector<Placed>& placed, size_t k) {
  const auto &a = placed[k - 1], &b = placed[k];
  const DicomImage &first = images[a.image], &second = images[b.image];
  require(a.image == b.image || first.instance_uid != second.instance_uid,
          "{}: the same slice twice; remove one of the files", both(first, second));
  size_t here = 1;
  for (const auto& other : placed)
    if (&other != &a && std::abs(other.distance - a.distance) < kSamePlace_mm) ++here;
  const bool moments = first.frames[a.frame].moment != second.frames[b.frame].moment;
  require(!first.is_dynamic && !(moments && first.technical.modality == "PT"),
          "{}: a dynamic or gated series: {} frames in time at one place; average or export one of "
          "them "
          "first",
          both(first, second), here);
  require(!moments, "{}: {} slices of different moments or echoes at one place; export one of them",
          both(first, second), here);
  throw Error("{}: {} slices at one place; expected each once", both(first, second), here);
}

/// Distance between slices; refuses gaps and uneven stacks.
double slice_spacing(const std::vector<DicomImage>& images, const std::vector<Placed>& placed) {
  std::vector<double> steps;
  for (size_t k = 1; k < placed.size(); ++k)
    steps.push_back(placed[k].distance - placed[k - 1].distance);
  for (size_t k = 0; k < steps.size(); ++k)
    if (steps[k] < kSamePlace_mm) refuse_twice(images, placed, k + 1);
  std::vector<double> sorted = steps;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<int64_t>(sorted.size() / 2),
                   sorted.end());
  const double usual = sorted[sorted.size() / 2];
  const double tolerance = std::max(kUneven * usual, kUneven_mm);
  for (size_t k = 0; k < steps.size(); ++k) {
    const DicomImage &below = images[placed[k].image], &above = images[placed[k + 1].image];
    const double missing = std::round(steps[k] / usual) - 1;
    require(missing < 1 || std::abs(steps[k] - (missing + 1) * usual) > tolerance * (missing + 1),
            "{}: a gap of {:.4g} mm where slices are {:.4g} mm apart: {} missing; find the file{}",
            both(below, above), steps[k], usual, missing, missing == 1 ? "" : "s");
    require(std::abs(steps[k] - usual) <= tolerance,
            "{}: {:.4g} mm apart where other slices are {:.4g} mm apart; expected even spacing",
            both(below, above), steps[k], usual);
  }
  return (placed.back().distance - placed.front().distance) / static_cast<double>(steps.size());
}

/// How far slices wander within their planes from the line along the normal, mm.
void check_sideways(const std::vector<DicomImage>& images, const std::vector<Placed>& placed,
                    std::vector<std::string>& notes) {
  const DicomFrame& first = images[placed[0].image].frames[placed[0].frame];
  double worst = 0, worst_pixel = 0;
  for (const auto& slice : placed) {
    const DicomFrame& frame = images[slice.image].frames[slice.frame];
    Point shift{};
    for (size_t i = 0; i < 3; ++i) shift[i] = frame.position[i] - first.position[i];
    const double along_row = std::abs(dot(shift, first.row)),
                 down = std::abs(dot(shift, first.column));
    worst = std::max({worst, along_row, down});
    worst_pixel =
        std::max({worst_pixel, along_row / first.column_spacing_mm, down / first.row_spacing_mm});
  }
  const double height = placed.back().distance - placed.front().distance;
  const std::string& where = images[placed[0].image].path.string();
  require(worst_pixel <= kSideways,
          "{}: a sheared volume: slices shift sideways by {:.4g} mm over {:.4g} mm (gantry tilt of "
          "{:.3g} "
          "degrees); resample it to a straight stack first",
          where, worst, height, std::atan2(worst, height) * 180 / M_PI);
  if (worst > kSidewaysSaid_mm)
    notes.push_back(fmt::format("{}: slices shift sideways by up to {:.3g} mm; taken as straight",
                                where, worst));
}

Affine affine_of(const DicomFrame& frame, const Point& normal, double spacing) {
  Affine affine{};
  affine[3][3] = 1;
  for (size_t i = 0; i < 3; ++i) {
    const double to_ras = i < 2 ? -1 : 1;
    affine[i][0] = to_ras * frame.row[i] * frame.column_spacing_mm;
    affine[i][1] = to_ras * frame.column[i] * frame.row_spacing_mm;
    affine[i][2] = to_ras * normal[i] * spacing;
    affine[i][3] = to_ras * frame.position[i];
  }
  for (auto& row : affine)
    for (double& value : row) value += 0.0;  // no -0
  return affine;
}

}  // namespace

DicomStack stack_dicom(const std::vector<DicomImage>& images, std::vector<std::string>& notes) {
  require(!images.empty(), "a DICOM series without files");
  const DicomImage& first = images.front();
  std::vector<Placed> placed;
  for (const auto& image : images) check_alike(first, image);
  const Point normal = normal_of(first.frames.front());
  for (size_t n = 0; n < images.size(); ++n) {
    check_planes(first, images[n]);
    for (size_t f = 0; f < images[n].frames.size(); ++f)
      placed.push_back({n, f, dot(images[n].frames[f].position, normal)});
  }
  require(placed.size() > 1, "{}: one slice alone; expected a volume", first.path.string());
  std::sort(placed.begin(), placed.end(), [&](const Placed& a, const Placed& b) {
    if (a.distance != b.distance) return a.distance < b.distance;
    const std::string &ua = images[a.image].instance_uid, &ub = images[b.image].instance_uid;
    if (ua != ub) return ua < ub;
    return a.frame < b.frame;
  });
  const double spacing = slice_spacing(images, placed);
  check_sideways(images, placed, notes);
  DicomStack stack;
  for (const auto& slice : placed) stack.slices.push_back({slice.image, slice.frame});
  const DicomFrame& lowest = images[placed[0].image].frames[placed[0].frame];
  stack.grid = {first.columns, first.rows, static_cast<int64_t>(placed.size()),
                affine_of(lowest, normal, spacing)};
  std::vector<std::string> said;
  for (const auto& image : images)
    for (const auto& note : image.notes)
      if (std::find(said.begin(), said.end(), note) == said.end()) {
        said.push_back(note);
        notes.push_back(fmt::format("{}: {}", image.path.string(), note));
      }
  return stack;
}

}  // namespace scintigen
