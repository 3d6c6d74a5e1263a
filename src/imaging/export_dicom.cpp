// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <system_error>

#include "core/affine.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/grid.h"
#include "core/run_record.h"
#include "imaging/dicom_words.h"
#include "imaging/export_dicom_tags.h"

namespace scintigen {
namespace {

/// 2.25.<the decimal of a UUID's 128 bits> (PS3.5 annex B.2).
std::string uid_of(std::array<uint32_t, 4> words) {
  words[1] = (words[1] & 0xffff0fff) | 0x4000;      // version 4
  words[2] = (words[2] & 0x3fffffff) | 0x80000000;  // variant 1
  std::string digits;
  while (std::any_of(words.begin(), words.end(), [](uint32_t word) { return word != 0; })) {
    uint64_t rest = 0;
    for (uint32_t& word : words) {
      rest = rest << 32 | word;
      word = static_cast<uint32_t>(rest / 10);
      rest %= 10;
    }
    digits += static_cast<char>('0' + rest);
  }
  return "2.25." + std::string(digits.rbegin(), digits.rend());
}

/// What makes the objects of an export what they are: every setting, the volume's and the source's
/// bytes. Not where any of them is.
std::string content_key(ExportSettings settings, const ExportSource& source) {
  auto said = settings_to_json(settings);
  for (const char* place : {"volume", "out", "like"}) said.erase(place);
  std::string key = said.dump() + "\n" + kVersion + "\n" + sha256_of_file(settings.volume);
  for (const auto& file : source.series.files) key += "\n" + sha256_of_file(file);
  return sha256_of_bytes(key);
}

/// UIDs of one export: random, or a function of content_key().
class UidMaker {
 public:
  UidMaker(const ExportSettings& settings, const ExportSource& source)
      : seeded_(settings.seed != 0) {
    if (seeded_) key_ = content_key(settings, source);
  }
  std::string next() {
    std::array<uint32_t, 4> words{};
    const std::string hash = seeded_ ? sha256_of_bytes(fmt::format("{} {}", key_, count_++)) : "";
    for (size_t i = 0; i < 4; ++i)
      words[i] = seeded_ ? static_cast<uint32_t>(std::stoul(hash.substr(8 * i, 8), nullptr, 16))
                         : device_();
    return uid_of(words);
  }

 private:
  bool seeded_;
  std::string key_;
  int64_t count_ = 0;
  std::random_device device_;
};

std::unique_ptr<ExportSource> read_source(const std::string& folder) {
  auto found = find_dicom_series(folder, nullptr);
  require(!found.empty(), "{}: no DICOM series; expected the one that the volume stands beside",
          folder);
  require(found.size() == 1, "{}: {} DICOM series; expected one; name its own folder", folder,
          found.size());
  auto source = std::make_unique<ExportSource>();
  source->series = std::move(found.front());
  if (!source->series.refusal.empty()) throw Error(source->series.refusal);
  require(!source->series.study_uid.empty(), "{}: no Study Instance UID (0020,000d); expected one",
          folder);
  require(!source->series.frame_of_reference_uid.empty(),
          "{}: no Frame of Reference UID (0020,0052); a new series cannot be placed beside it",
          folder);
  for (const auto& path : source->series.files) {
    DcmFileFormat file;
    DcmFileFormat& kept = source->instances.empty() ? source->first : file;
    const OFCondition loaded = kept.loadFile(OFFilename(path.c_str()));
    require(loaded.good(), "{}: cannot be read ({})", path.string(), loaded.text());
    source->instances.emplace_back(dicom_text(*kept.getDataset(), DCM_SOPClassUID),
                                   dicom_text(*kept.getDataset(), DCM_SOPInstanceUID));
  }
  return source;
}

/// Place of a grid in DICOM's words (LPS+).
struct Place {
  std::string orientation, pixel_spacing;
  double between_slices = 0;  ///< along row x column: negative where k runs against it
  Grid grid;

  explicit Place(const Grid& of) : grid(of) {
    const auto size = spacing_mm(of.voxel_to_world);
    for (size_t axis = 0; axis < 2; ++axis)
      for (size_t i = 0; i < 3; ++i)
        orientation += (orientation.empty() ? "" : "\\") +
                       dicom_decimal(lps(i) * of.voxel_to_world[i][axis] / size[axis] + 0.0);
    pixel_spacing = dicom_decimal(size[1]) + "\\" + dicom_decimal(size[0]);
    between_slices = determinant(of.voxel_to_world) > 0 ? size[2] : -size[2];
  }
  std::string position(int64_t k) const {
    std::string text;
    for (size_t i = 0; i < 3; ++i)
      text += (i == 0 ? "" : "\\") +
              dicom_decimal(lps(i) * (grid.voxel_to_world[i][3] +
                                      grid.voxel_to_world[i][2] * static_cast<double>(k)) +
                            0.0);
    return text;
  }

 private:
  static double lps(size_t i) { return i < 2 ? -1 : 1; }
};

/// Integers of `voxels` and the slope that takes them back, within half a step.
struct Stored {
  std::vector<Uint16> words;
  std::string slope;
  bool is_signed = false;
};

Stored stored(const float* voxels, int64_t count, bool always_signed) {
  const auto [least, most] = std::minmax_element(voxels, voxels + count);
  Stored result;
  result.is_signed = always_signed || *least < 0;
  const double range = result.is_signed ? 32767 : 65535;
  const double largest = std::max(std::abs(double{*least}), std::abs(double{*most}));
  // a little more than needed, so that the rounding of the text cannot push a voxel over the edge
  result.slope = largest > 0 ? dicom_decimal(largest / range * (1 + 1e-8)) : "1";
  const double slope = std::stod(result.slope);
  require(std::isnormal(slope),
          "voxels as small as {:.3g}; expected them to fit 16 bits with a slope; "
          "give the volume another unit",
          largest);
  for (int64_t i = 0; i < count; ++i)
    result.words.push_back(
        static_cast<Uint16>(static_cast<int32_t>(std::lround(voxels[i] / slope))));
  return result;
}

void put_pixels(DcmItem& object, const Stored& pixels, const Grid& grid) {
  object.putAndInsertUint16(DCM_Rows, static_cast<Uint16>(grid.nj));
  object.putAndInsertUint16(DCM_Columns, static_cast<Uint16>(grid.ni));
  object.putAndInsertUint16(DCM_BitsAllocated, 16);
  object.putAndInsertUint16(DCM_BitsStored, 16);
  object.putAndInsertUint16(DCM_HighBit, 15);
  object.putAndInsertUint16(DCM_PixelRepresentation, pixels.is_signed ? 1 : 0);
  put_dicom(object, DCM_RescaleIntercept, "0");
  put_dicom(object, DCM_RescaleSlope, pixels.slope);
  const OFCondition put =
      object.putAndInsertUint16Array(DCM_PixelData, pixels.words.data(), pixels.words.size());
  require(put.good(), "pixel data cannot be held ({})", put.text());
}

/// Into a folder that nobody sees yet: NewFolder syncs and renames.
void write_object(const std::filesystem::path& path, DcmFileFormat& file) {
  const OFCondition written =
      file.saveFile(OFFilename(path.c_str()), EXS_LittleEndianExplicit, EET_UndefinedLength);
  require(written.good(), "{}: cannot be written ({})", path.string(), written.text());
}

/// A folder that appears with all its files, or not at all.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path) : path_(std::filesystem::path(path) / "") {
    path_ = path_.parent_path();  // no slash at the end
    std::error_code error;
    require(!std::filesystem::exists(path_) ||
                (std::filesystem::is_directory(path_) && std::filesystem::is_empty(path_, error)),
            "{}: is there already; name a new folder", path);
    working_ = path_;
    working_ += fmt::format(".tmp-{}", ::getpid());
    std::filesystem::create_directories(working_, error);
    require(!error, "{}: cannot be made: {}", path, error.message());
  }
  ~NewFolder() {
    std::error_code error;
    if (!done_) std::filesystem::remove_all(working_, error);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  std::filesystem::path file(const std::string& name) {
    names_.push_back(name);
    return working_ / name;
  }
  /// Syncs file by file after all are written: the file system then commits them together.
  std::vector<std::filesystem::path> commit() {
    for (const auto& name : names_) sync(working_ / name, O_RDONLY);
    sync(working_, O_RDONLY | O_DIRECTORY);
    std::error_code error;
    std::filesystem::rename(working_, path_, error);
    require(!error, "{}: cannot be made: {}", path_.string(), error.message());
    done_ = true;
    if (path_.has_parent_path()) sync(path_.parent_path(), O_RDONLY | O_DIRECTORY);
    std::vector<std::filesystem::path> files;
    for (const auto& name : names_) files.push_back(path_ / name);
    return files;
  }

 private:
  static void sync(const std::filesystem::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
    require(descriptor >= 0, "{}: cannot be opened: {}", path.string(),
            std::generic_category().message(errno));
    const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL;
    const int number = errno;
    ::close(descriptor);
    require(synced, "{}: cannot be written: {}", path.string(),
            std::generic_category().message(number));
  }

  std::filesystem::path path_, working_;
  std::vector<std::string> names_;
  bool done_ = false;
};

std::string new_instance(DcmItem& object, const char* sop_class, UidMaker& uids, int64_t number) {
  const std::string uid = uids.next();
  put_dicom(object, DCM_SOPClassUID, sop_class);
  put_dicom(object, DCM_SOPInstanceUID, uid);
  put_dicom(object, DCM_InstanceNumber, std::to_string(number));
  return uid;
}

/// One object a slice, each with a slope of its own.
void write_pet(NewFolder& folder, const Volume& volume, const Place& place, ExportSource& source,
               const ExportSettings& settings, UidMaker& uids) {
  const std::string series_uid = uids.next();
  const int64_t plane = place.grid.ni * place.grid.nj;
  for (int64_t k = 0; k < place.grid.nk; ++k) {
    DcmFileFormat file;
    DcmItem& object = *file.getDataset();
    put_common(object, source, settings, "PT", series_uid);
    put_pet(object, source, volume.unit, place.grid.nk);
    new_instance(object, UID_PositronEmissionTomographyImageStorage, uids, k + 1);
    put_dicom(object, DCM_ImageType, "DERIVED\\SECONDARY");
    object.putAndInsertUint16(DCM_ImageIndex, static_cast<Uint16>(k + 1));
    put_dicom(object, DCM_ImageOrientationPatient, place.orientation);
    put_dicom(object, DCM_ImagePositionPatient, place.position(k));
    put_dicom(object, DCM_PixelSpacing, place.pixel_spacing);
    put_dicom(object, DCM_SliceThickness, dicom_decimal(std::abs(place.between_slices)));
    put_pixels(object, stored(volume.voxels.data_ptr<float>() + k * plane, plane, true),
               place.grid);
    write_object(folder.file(fmt::format("PT{:05}.dcm", k + 1)), file);
  }
}

/// Units of the mapping, as UCUM codes.
void put_mapping(DcmItem& object, const Stored& pixels, const std::string& unit) {
  DcmItem* map = nullptr;
  object.findOrCreateSequenceItem(DCM_RealWorldValueMappingSequence, map);
  map->putAndInsertFloat64(DCM_RealWorldValueIntercept, 0);
  map->putAndInsertFloat64(DCM_RealWorldValueSlope, std::stod(pixels.slope));
  const DcmVR words(pixels.is_signed ? EVR_SS : EVR_US);
  for (const bool first : {true, false}) {
    const DcmTag tag(first ? DCM_RealWorldValueFirstValueMapped : DCM_RealWorldValueLastValueMapped,
                     words);
    if (pixels.is_signed)
      map->putAndInsertSint16(tag, first ? -32768 : 32767);
    else
      map->putAndInsertUint16(tag, first ? 0 : 65535);
  }
  put_dicom(*map, DCM_LUTExplanation, unit.empty() ? "unit not known" : unit);
  put_dicom(*map, DCM_LUTLabel, "value");
  DcmItem* code = nullptr;
  map->findOrCreateSequenceItem(DCM_MeasurementUnitsCodeSequence, code);
  const std::string ucum = ucum_code(unit);
  put_dicom(*code, DCM_CodeValue, ucum);
  put_dicom(*code, DCM_CodingSchemeDesignator, "UCUM");
  put_dicom(*code, DCM_CodeMeaning, ucum == "1" ? "no units" : unit);
}

void write_nm(NewFolder& folder, const Volume& volume, const Place& place, ExportSource& source,
              const ExportSettings& settings, UidMaker& uids) {
  DcmFileFormat file;
  DcmItem& object = *file.getDataset();
  put_common(object, source, settings, "NM", uids.next());
  put_nm(object, source, place.grid.nk);
  new_instance(object, UID_NuclearMedicineImageStorage, uids, 1);
  put_dicom(object, DCM_ImageType, "DERIVED\\SECONDARY\\RECON TOMO\\EMISSION");
  DcmItem* detector = nullptr;
  object.findOrCreateSequenceItem(DCM_DetectorInformationSequence, detector);
  put_dicom(*detector, DCM_CollimatorType, "");
  put_dicom(*detector, DCM_FocalDistance, "");
  put_dicom(*detector, DCM_ImageOrientationPatient, place.orientation);
  put_dicom(*detector, DCM_ImagePositionPatient, place.position(0));
  put_dicom(object, DCM_PixelSpacing, place.pixel_spacing);
  put_dicom(object, DCM_SpacingBetweenSlices, dicom_decimal(place.between_slices));
  put_dicom(object, DCM_SliceThickness, dicom_decimal(std::abs(place.between_slices)));
  put_dicom(object, DCM_NumberOfFrames, std::to_string(place.grid.nk));
  require(object.putAndInsertTagKey(DCM_FrameIncrementPointer, DCM_SliceVector).good(),
          "(0028,0009): cannot be written");
  std::vector<Uint16> slices;
  for (int64_t k = 0; k < place.grid.nk; ++k) slices.push_back(static_cast<Uint16>(k + 1));
  object.putAndInsertUint16Array(DCM_SliceVector, slices.data(), slices.size());
  const auto pixels = stored(volume.voxels.data_ptr<float>(), volume.voxels.numel(), false);
  put_pixels(object, pixels, place.grid);
  put_mapping(object, pixels, volume.unit);
  write_object(folder.file("NM00001.dcm"), file);
}

}  // namespace

std::vector<std::filesystem::path> export_dicom(const ExportSettings& wanted, const Volume& volume,
                                                std::vector<std::string>& notes) {
  prepare_dcmtk();
  ExportSettings settings = wanted;
  const auto source = read_source(settings.like);
  std::string& modality = settings.modality;
  if (modality.empty()) modality = source->series.technical.modality;
  require(modality == "PT" || modality == "NM",
          "--modality: the series of --like is {}; say PT or NM", modality);
  const Grid grid = grid_of(volume);
  require(std::max({grid.ni, grid.nj, grid.nk}) <= 8192,
          "{}: {}; DICOM is written up to 8192 a side", settings.volume, describe_grid(grid));
  require(grid.voxels() * 2 < int64_t{1} << 32 || modality == "PT", "{}: {}; expected under 4 GB",
          settings.volume, describe_grid(grid));
  if (volume.unit.empty())
    notes.push_back("the unit of the voxels is not known (--unit): the objects say 'none'");
  NewFolder folder(settings.out);
  UidMaker uids(settings, *source);
  const Place place(grid);
  if (modality == "PT")
    write_pet(folder, volume, place, *source, settings, uids);
  else
    write_nm(folder, volume, place, *source, settings, uids);
  return folder.commit();
}

}  // namespace scintigen
