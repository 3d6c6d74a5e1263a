// SPDX-License-Identifier: Apache-2.0
#include "imaging/dicom_frames.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "imaging/dicom_values.h"
#include "imaging/dicom_words.h"

namespace scintigen {
namespace {

constexpr double kFarthest_mm = 1e5;  // positions beyond are damage
constexpr double kSquare = 1e-3;      // cosines: as exact as 16 characters of a DS are, generously

double dot(const Point& a, const Point& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Point cross(const Point& a, const Point& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

void set_orientation(const std::vector<double>& cosines, DicomFrame& frame) {
  require(cosines.size() == 6, "Image Orientation (0020,0037) of {} numbers; expected 6",
          cosines.size());
  std::copy_n(cosines.begin(), 3, frame.row.begin());
  std::copy_n(cosines.begin() + 3, 3, frame.column.begin());
  const double row = std::sqrt(dot(frame.row, frame.row));
  const double column = std::sqrt(dot(frame.column, frame.column));
  require(std::abs(row - 1) < kSquare && std::abs(column - 1) < kSquare &&
              std::abs(dot(frame.row, frame.column)) < kSquare,
          "Image Orientation (0020,0037) is not two perpendicular directions of length 1");
  for (double& x : frame.row) x /= row;
  const double along = dot(frame.row, frame.column);  // rounding of the file
  for (size_t i = 0; i < 3; ++i) frame.column[i] -= along * frame.row[i];
  const double length = std::sqrt(dot(frame.column, frame.column));
  for (double& x : frame.column) x /= length;
}

void set_position(const std::vector<double>& position, DicomFrame& frame) {
  require(position.size() == 3, "Image Position (0020,0032) of {} numbers; expected 3",
          position.size());
  for (size_t i = 0; i < 3; ++i) {
    require(std::abs(position[i]) <= kFarthest_mm,
            "Image Position (0020,0032) {} mm away; expected at most {}", position[i],
            kFarthest_mm);
    frame.position[i] = position[i];
  }
}

void set_pixel_spacing(const std::vector<double>& spacing, DicomFrame& frame) {
  require(spacing.size() == 2, "Pixel Spacing (0028,0030) of {} numbers; expected 2",
          spacing.size());
  for (double mm : spacing)
    require(mm >= 1e-3 && mm <= 1e3, "Pixel Spacing (0028,0030) {} mm; expected 0.001 to 1000", mm);
  frame.row_spacing_mm = spacing[0];
  frame.column_spacing_mm = spacing[1];
}

/// A line of the Real World Value Mapping (PS3.3 C.7.6.16.2.11).
struct RealWorldLine {
  double slope = 1, intercept = 0;
  std::optional<std::string> unit;  ///< none: no code; "": a code that is not known
};

std::vector<RealWorldLine> real_world_lines(DcmItem& item) {
  std::vector<RealWorldLine> lines;
  const int64_t count =
      std::min<int64_t>(dicom_item_count(item, DCM_RealWorldValueMappingSequence), 64);
  for (int64_t i = 0; i < count; ++i) {
    DcmItem& map =
        *dicom_item(item, DCM_RealWorldValueMappingSequence, static_cast<unsigned long>(i));
    const auto slope = dicom_number(map, DCM_RealWorldValueSlope);
    const auto intercept = dicom_number(map, DCM_RealWorldValueIntercept);
    if (!slope || !intercept) continue;
    RealWorldLine line{*slope, *intercept, {}};
    if (DcmItem* const code = dicom_item(map, DCM_MeasurementUnitsCodeSequence))
      line.unit = unit_of_ucum(dicom_text(*code, DCM_CodeValue));
    lines.push_back(line);
  }
  return lines;
}

/// The line in Bq/mL, else one in a known unit where `any_known`, else the first.
const RealWorldLine* preferred(const std::vector<RealWorldLine>& lines, bool any_known) {
  const RealWorldLine* chosen = lines.empty() ? nullptr : &lines.front();
  for (const auto& line : lines) {
    if (line.unit == "Bq/mL") return &line;
    if (any_known && chosen->unit.value_or("").empty() && !line.unit.value_or("").empty())
      chosen = &line;
  }
  return chosen;
}

bool set_real_world(DcmItem& item, DicomFrame& frame, std::string& unit) {
  const auto lines = real_world_lines(item);
  const auto* const line = preferred(lines, false);
  if (line == nullptr) return false;
  frame.slope = line->slope, frame.intercept = line->intercept;
  if (line->unit) unit = *line->unit;
  return true;
}

/// Values are as the rescale makes them; a mapping that is the same line says their unit, any other
/// says that of other values. PET's Units (0054,1001) goes first, and MR has no unit to keep.
void set_unit_of_rescale(DcmItem& item, const std::vector<DicomFrame>& frames, DicomImage& image) {
  if (image.technical.modality == "MR" || !image.technical.units.empty()) return;
  constexpr double kSameLine = 1e-6;  // a rounded DS beside FD
  const auto same = [&](double a, double b, double scale) {
    return std::abs(a - b) <= kSameLine * std::abs(scale);
  };
  auto lines = real_world_lines(item);
  const auto other = [&](const RealWorldLine& line) {
    return !std::all_of(frames.begin(), frames.end(), [&](const DicomFrame& frame) {
      return same(line.slope, frame.slope, frame.slope) &&
             same(line.intercept, frame.intercept,
                  std::max(std::abs(frame.intercept), std::abs(frame.slope)));
    });
  };
  lines.erase(std::remove_if(lines.begin(), lines.end(), other), lines.end());
  const auto* const line = preferred(lines, true);
  if (line != nullptr && line->unit) image.unit = *line->unit;
}

/// Modality LUT (C.11.1) as a line; false where there is none.
bool set_rescale(DcmItem& item, DicomFrame& frame) {
  const auto slope = dicom_number(item, DCM_RescaleSlope);
  const auto intercept = dicom_number(item, DCM_RescaleIntercept);
  if (!slope && !intercept) return false;
  frame.slope = slope.value_or(1), frame.intercept = intercept.value_or(0);
  return true;
}

std::string moment_of(DcmItem& item) {
  std::string moment;
  for (const auto& tag : {DCM_FrameReferenceTime, DCM_TriggerTime, DCM_TemporalPositionIdentifier,
                          DCM_TemporalPositionIndex, DCM_EchoTime, DCM_EchoNumbers})
    if (item.tagExists(tag))
      moment +=
          fmt::format("{}={};", dicom_tag_text(tag), fmt::join(dicom_numbers(item, tag), ","));
  return moment;
}

void describe_single(DcmItem& data_set, DicomImage& image) {
  DicomFrame frame;
  DcmItem* const detector = dicom_item(data_set, DCM_DetectorInformationSequence);
  const bool in_detector = detector != nullptr && !data_set.tagExists(DCM_ImageOrientationPatient);
  DcmItem& place = in_detector ? *detector : data_set;
  require(
      !dicom_numbers(place, DCM_ImageOrientationPatient).empty() &&
          !dicom_numbers(place, DCM_ImagePositionPatient).empty(),
      "no Image Orientation (0020,0037) or Image Position (0020,0032); the slice cannot be placed");
  set_orientation(dicom_numbers(place, DCM_ImageOrientationPatient), frame);
  set_position(dicom_numbers(place, DCM_ImagePositionPatient), frame);
  set_pixel_spacing(dicom_numbers(data_set, DCM_PixelSpacing), frame);
  if (set_rescale(data_set, frame))
    set_unit_of_rescale(data_set, {frame}, image);
  else if (!set_real_world(data_set, frame, image.unit) && image.technical.modality == "PT")
    image.notes.push_back("has no Rescale Slope (0028,1053): values are taken as stored");
  frame.moment = moment_of(data_set);
  image.frames = {frame};
}

// ---- NM multi-frame

/// The detector whose orientation and position hold for all frames.
DcmItem& detector_of(DcmItem& data_set, int64_t frames, DicomImage& image) {
  const int64_t count = dicom_item_count(data_set, DCM_DetectorInformationSequence);
  require(count <= 64, "Detector Information Sequence (0054,0022) of {} items; expected at most 64",
          count);
  unsigned long chosen = 0;
  const auto vector = dicom_numbers(data_set, DCM_DetectorVector);
  if (static_cast<int64_t>(vector.size()) == frames && count > 1) {
    require(std::equal(vector.begin() + 1, vector.end(), vector.begin()),
            "frames of several detectors (Detector Vector (0054,0020)); expected one volume");
    require(vector[0] >= 1 && vector[0] <= static_cast<double>(count),
            "Detector Vector (0054,0020) names detector {} of {}", vector[0], count);
    chosen = static_cast<unsigned long>(vector[0]) - 1;
  }
  DcmItem* detector = dicom_item(data_set, DCM_DetectorInformationSequence, chosen);
  const bool placed =
      detector != nullptr && !dicom_numbers(*detector, DCM_ImageOrientationPatient).empty();
  if (!placed && data_set.tagExists(DCM_ImageOrientationPatient)) return data_set;
  require(placed,
          "no Image Orientation (0020,0037) in the Detector Information Sequence (0054,0022); left "
          "and right cannot be known");
  for (int64_t i = 0; i < count && vector.empty(); ++i) {
    DcmItem& other =
        *dicom_item(data_set, DCM_DetectorInformationSequence, static_cast<unsigned long>(i));
    const auto theirs = dicom_numbers(other, DCM_ImageOrientationPatient);
    const auto place = dicom_numbers(other, DCM_ImagePositionPatient);
    if ((!theirs.empty() && theirs != dicom_numbers(*detector, DCM_ImageOrientationPatient)) ||
        (!place.empty() && place != dicom_numbers(*detector, DCM_ImagePositionPatient)))
      image.notes.push_back(fmt::format(
          "detector {} of {} says another place; that of the first is used", i + 1, count));
  }
  return *detector;
}

void require_one_of(DcmItem& data_set, const DcmTagKey& vector, const char* what) {
  const auto numbers = dicom_numbers(data_set, vector);
  require(numbers.empty() || *std::max_element(numbers.begin(), numbers.end()) ==
                                 *std::min_element(numbers.begin(), numbers.end()),
          "frames of several {} ({}); expected one volume; export one", what,
          dicom_tag_text(vector));
}

/// Slopes of NM: one for the file, or one for each frame.
void set_nm_slopes(DcmItem& data_set, DicomImage& image) {
  const auto slopes = dicom_numbers(data_set, DCM_RescaleSlope);
  const auto intercepts = dicom_numbers(data_set, DCM_RescaleIntercept);
  const size_t frames = image.frames.size();
  if (slopes.empty() && intercepts.empty()) {
    DicomFrame scale;
    set_real_world(data_set, scale, image.unit);
    for (auto& frame : image.frames) frame.slope = scale.slope, frame.intercept = scale.intercept;
    return;
  }
  require(slopes.size() <= 1 || slopes.size() == frames,
          "{} rescale slopes (0028,1053) for {} frames; expected 1 or one for each", slopes.size(),
          frames);
  require(intercepts.size() <= 1 || intercepts.size() == frames,
          "{} rescale intercepts (0028,1052) for {} frames; expected 1 or one for each",
          intercepts.size(), frames);
  for (size_t k = 0; k < frames; ++k) {
    if (!slopes.empty()) image.frames[k].slope = slopes[slopes.size() == 1 ? 0 : k];
    if (!intercepts.empty()) image.frames[k].intercept = intercepts[intercepts.size() == 1 ? 0 : k];
  }
  set_unit_of_rescale(data_set, image.frames, image);
}

/// The first slice lies at Image Position; slice s lies (s - 1) times the signed Spacing Between
/// Slices along row x column: "stacked behind the first slice" where positive (C.8.4.15).
void describe_nm(DcmItem& data_set, int64_t frames, DicomImage& image) {
  image.is_whole_volume = true;
  require_one_of(data_set, DCM_EnergyWindowVector, "energy windows");
  require_one_of(data_set, DCM_PhaseVector, "phases");
  require_one_of(data_set, DCM_RRIntervalVector, "R-R intervals");
  require_one_of(data_set, DCM_TimeSlotVector, "time slots");
  DcmItem& detector = detector_of(data_set, frames, image);
  DicomFrame first;
  set_orientation(dicom_numbers(detector, DCM_ImageOrientationPatient), first);
  set_pixel_spacing(dicom_numbers(data_set, DCM_PixelSpacing), first);
  const auto spacing = dicom_number(data_set, DCM_SpacingBetweenSlices);
  require(spacing.has_value(),
          "no Spacing Between Slices (0018,0088); its sign says which way the slices are stacked");
  require(std::abs(*spacing) >= 1e-3 && std::abs(*spacing) <= 1e3,
          "Spacing Between Slices (0018,0088) {} mm; expected 0.001 to 1000, of either sign",
          *spacing);
  auto slices = dicom_numbers(data_set, DCM_SliceVector);
  if (slices.empty())
    for (int64_t s = 1; s <= frames; ++s) slices.push_back(static_cast<double>(s));
  require(static_cast<int64_t>(slices.size()) == frames,
          "Slice Vector (0054,0080) of {} numbers; expected one for each of {} frames",
          slices.size(), frames);
  const Point normal = cross(first.row, first.column);
  auto place = dicom_numbers(detector, DCM_ImagePositionPatient);
  if (place.empty()) place = dicom_numbers(data_set, DCM_ImagePositionPatient);
  if (place.empty()) {
    image.notes.push_back(
        "has no Image Position (0020,0032): the world's origin is put at its centre");
    place = {0, 0, 0};
    for (size_t i = 0; i < 3; ++i)
      place[i] =
          -0.5 * (first.row[i] * first.column_spacing_mm * static_cast<double>(image.columns - 1) +
                  first.column[i] * first.row_spacing_mm * static_cast<double>(image.rows - 1) +
                  normal[i] * *spacing * static_cast<double>(frames - 1));
  }
  set_position(place, first);
  for (double slice : slices) {
    require(slice >= 1 && slice <= 65535, "Slice Vector (0054,0080) holds {}; expected 1, 2, ...",
            slice);
    DicomFrame frame = first;
    for (size_t i = 0; i < 3; ++i) frame.position[i] += normal[i] * *spacing * (slice - 1);
    image.frames.push_back(frame);
  }
  set_nm_slopes(data_set, image);
}

// ---- enhanced multi-frame

/// A functional group of one frame: the frame's own, else the shared one; nullptr where neither.
DcmItem* group(DcmItem* own, DcmItem* shared, const DcmTagKey& sequence) {
  if (own != nullptr)
    if (DcmItem* const item = dicom_item(*own, sequence)) return item;
  return shared == nullptr ? nullptr : dicom_item(*shared, sequence);
}

void describe_enhanced_frame(DcmItem* own, DcmItem* shared, DicomImage& image) {
  DicomFrame frame;
  DcmItem* const plane = group(own, shared, DCM_PlanePositionSequence);
  DcmItem* const orientation = group(own, shared, DCM_PlaneOrientationSequence);
  DcmItem* const measures = group(own, shared, DCM_PixelMeasuresSequence);
  require(plane != nullptr, "no Plane Position Sequence (0020,9113); the frame cannot be placed");
  require(orientation != nullptr,
          "no Plane Orientation Sequence (0020,9116); the frame cannot be placed");
  require(measures != nullptr,
          "no Pixel Measures Sequence (0028,9110); the size of a pixel is not known");
  set_orientation(dicom_numbers(*orientation, DCM_ImageOrientationPatient), frame);
  set_position(dicom_numbers(*plane, DCM_ImagePositionPatient), frame);
  set_pixel_spacing(dicom_numbers(*measures, DCM_PixelSpacing), frame);
  DcmItem* const scale = group(own, shared, DCM_PixelValueTransformationSequence);
  if (scale != nullptr && set_rescale(*scale, frame)) {
    for (DcmItem* const item : {shared, own})
      if (item != nullptr) set_unit_of_rescale(*item, {frame}, image);
  } else {
    if (own == nullptr || !set_real_world(*own, frame, image.unit))
      if (shared != nullptr) set_real_world(*shared, frame, image.unit);
  }
  for (DcmItem* const item :
       {group(own, shared, DCM_FrameContentSequence), group(own, shared, DCM_MREchoSequence),
        group(own, shared, DCM_TemporalPositionSequence)})
    if (item != nullptr) frame.moment += moment_of(*item);
  if (DcmItem* const echo = group(own, shared, DCM_MREchoSequence))
    if (const auto time = dicom_number(*echo, DCM_EffectiveEchoTime))
      frame.moment += fmt::format("echo={};", *time);
  image.frames.push_back(frame);
}

void describe_enhanced(DcmItem& data_set, int64_t frames, DicomImage& image) {
  DcmItem* const shared = dicom_item(data_set, DCM_SharedFunctionalGroupsSequence);
  const int64_t items = dicom_item_count(data_set, DCM_PerFrameFunctionalGroupsSequence);
  require(
      items == frames,
      "Per-frame Functional Groups Sequence (5200,9230) of {} items; expected one for each of {} "
      "frames",
      items, frames);
  DcmSequenceOfItems* sequence = nullptr;
  data_set.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, sequence);
  DcmObject* own = nullptr;  // getItem(k) of a list is linear in k
  for (int64_t k = 0; k < frames; ++k) {
    own = sequence->nextInContainer(own);
    describe_enhanced_frame(dynamic_cast<DcmItem*>(own), shared, image);
  }
}

}  // namespace

void describe_frames(DcmItem& data_set, int64_t frames, DicomImage& image) {
  const bool grouped = dicom_item_count(data_set, DCM_PerFrameFunctionalGroupsSequence) > 0;
  if (grouped) {
    describe_enhanced(data_set, frames, image);
  } else if (frames > 1 && image.technical.modality == "NM") {
    describe_nm(data_set, frames, image);
  } else {
    require(frames == 1,
            "{} frames without Per-frame Functional Groups (5200,9230); they cannot be placed",
            frames);
    describe_single(data_set, image);
  }
  for (const auto& frame : image.frames)
    if (frame.slope == 0) {
      image.notes.push_back("has a Rescale Slope (0028,1053) of 0: that slice is one value");
      break;
    }
}

}  // namespace scintigen
