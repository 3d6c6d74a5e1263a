// SPDX-License-Identifier: Apache-2.0
#include "imaging/export_dicom_tags.h"

#include <algorithm>
#include <ctime>

#include "core/error.h"
#include "core/run_record.h"

namespace scintigen {
namespace {

/// (0008,001C), younger than the dictionary of DCMTK 3.6.7.
const DcmTag kSyntheticData(0x0008, 0x001c, DcmVR(EVR_CS));

/// Numbers that are copied from a source of the same modality: nothing in them names anyone.
const DcmTagKey kPetNumbers[] = {DCM_FrameReferenceTime, DCM_ActualFrameDuration};
const DcmTagKey kDoseNumbers[] = {DCM_RadionuclideTotalDose, DCM_RadionuclideHalfLife,
                                  DCM_RadionuclidePositronFraction};

/// Patient and study modules (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2); copied with --keep-identity only.
const DcmTagKey kIdentity[] = {DCM_SpecificCharacterSet,
                               DCM_PatientName,
                               DCM_PatientID,
                               DCM_IssuerOfPatientID,
                               DCM_PatientBirthDate,
                               DCM_PatientBirthTime,
                               DCM_PatientSex,
                               DCM_RETIRED_OtherPatientIDs,
                               DCM_OtherPatientNames,
                               DCM_EthnicGroup,
                               DCM_PatientComments,
                               DCM_PatientAge,
                               DCM_PatientSize,
                               DCM_PatientWeight,
                               DCM_AdditionalPatientHistory,
                               DCM_MedicalAlerts,
                               DCM_Allergies,
                               DCM_Occupation,
                               DCM_StudyDate,
                               DCM_StudyTime,
                               DCM_StudyID,
                               DCM_AccessionNumber,
                               DCM_StudyDescription,
                               DCM_ReferringPhysicianName,
                               DCM_PhysiciansOfRecord,
                               DCM_NameOfPhysiciansReadingStudy,
                               DCM_InstitutionName,
                               DCM_PositionReferenceIndicator};

/// A code string of the source, if it is one of these.
std::string known(DcmItem& source, const DcmTagKey& tag, std::initializer_list<const char*> words,
                  const std::string& otherwise = "") {
  const std::string found = dicom_text(source, tag);
  return std::find(words.begin(), words.end(), found) != words.end() ? found : otherwise;
}

void copy_numbers(DcmItem& object, DcmItem& source, const DcmTagKey& tag) {
  try {
    std::string text;
    for (double number : dicom_numbers(source, tag, 16))
      text += (text.empty() ? "" : "\\") + dicom_decimal(number);
    if (!text.empty()) put_dicom(object, tag, text);
  } catch (const Error&) {  // not numbers: not copied
  }
}

void put_patient(DcmItem& object, DcmItem& source, const ExportSettings& settings) {
  for (const auto& tag : {DCM_PatientBirthDate, DCM_PatientSex, DCM_StudyDate, DCM_StudyTime,
                          DCM_ReferringPhysicianName, DCM_StudyID, DCM_AccessionNumber})
    put_dicom(object, tag, "");
  put_dicom(object, DCM_PatientName, settings.participant);
  put_dicom(object, DCM_PatientID, settings.participant);
  put_dicom(object, DCM_PositionReferenceIndicator, "");
  if (!settings.keep_identity) {
    put_dicom(object, DCM_PatientIdentityRemoved, "YES");
    put_dicom(object, DCM_DeidentificationMethod, "scintigen export: tags of an allow-list only");
    return;
  }
  for (const auto& tag : kIdentity) {
    DcmElement* element = nullptr;
    if (source.findAndGetElement(tag, element).good() && element != nullptr)
      require(object.insert(static_cast<DcmElement*>(element->clone()), OFTrue).good(),
              "{}: cannot be copied", dicom_tag_text(tag));
  }
}

/// Type 1 in PET: when the series was made, which is now. The scanner's date stays behind.
void put_now(DcmItem& object) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  put_dicom(object, DCM_SeriesDate,
            fmt::format("{:04}{:02}{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday));
  put_dicom(object, DCM_SeriesTime,
            fmt::format("{:02}{:02}{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec));
}

struct Radionuclide {
  const char *name, *code, *meaning;
};
constexpr Radionuclide kRadionuclides[] = {
    {"F-18", "C-111A1", "^18^Fluorine"},      {"C-11", "C-105A1", "^11^Carbon"},
    {"O-15", "C-B1038", "^15^Oxygen"},        {"Ga-68", "C-131A3", "^68^Gallium"},
    {"Tc-99m", "C-163A8", "^99m^Technetium"}, {"I-123", "C-114A4", "^123^Iodine"}};

void put_code(DcmItem& item, const DcmTagKey& sequence, const char* value, const char* scheme,
              const char* meaning) {
  DcmItem* code = nullptr;
  item.findOrCreateSequenceItem(sequence, code);
  put_dicom(*code, DCM_CodeValue, value);
  put_dicom(*code, DCM_CodingSchemeDesignator, scheme);
  put_dicom(*code, DCM_CodeMeaning, meaning);
}

/// Isotope modules: the source's radionuclide by its code, and the dose's numbers; no free text.
void put_isotope(DcmItem& object, ExportSource& source, const char* modality) {
  object.insertEmptyElement(DCM_RadiopharmaceuticalInformationSequence);
  if (source.series.technical.modality != modality) return;
  for (const auto& nuclide : kRadionuclides) {
    if (source.series.technical.radionuclide != nuclide.name) continue;
    DcmItem* drug = nullptr;
    object.findOrCreateSequenceItem(DCM_RadiopharmaceuticalInformationSequence, drug);
    put_code(*drug, DCM_RadionuclideCodeSequence, nuclide.code, "SRT", nuclide.meaning);
    if (!source.series.technical.tracer.empty())
      put_dicom(*drug, DCM_Radiopharmaceutical, source.series.technical.tracer);
    else
      put_dicom(*drug, DCM_Radiopharmaceutical, "");
    DcmItem* const theirs =
        dicom_item(*source.first.getDataset(), DCM_RadiopharmaceuticalInformationSequence);
    if (theirs == nullptr) continue;
    for (const auto& tag : kDoseNumbers) copy_numbers(*drug, *theirs, tag);
  }
}

}  // namespace

void put_dicom(DcmItem& item, const DcmTag& tag, const std::string& value) {
  const OFCondition put = item.putAndInsertOFStringArray(tag, OFString(value.c_str()));
  require(put.good(), "{}: cannot be written ({})", dicom_tag_text(tag), put.text());
}

std::string dicom_decimal(double number) {
  for (int digits = 15; digits > 1; --digits) {
    std::string text = fmt::format("{:.{}g}", number, digits);
    if (text.size() <= 16) return text;
  }
  throw Error("a number that DICOM's 16 characters cannot hold");
}

void put_common(DcmItem& object, ExportSource& source, const ExportSettings& settings,
                const std::string& modality, const std::string& series_uid) {
  DcmItem& from = *source.first.getDataset();
  put_patient(object, from, settings);
  put_dicom(object, DCM_StudyInstanceUID, source.series.study_uid);
  put_dicom(object, DCM_FrameOfReferenceUID, source.series.frame_of_reference_uid);
  put_dicom(object, DCM_SeriesInstanceUID, series_uid);
  put_dicom(object, DCM_Modality, modality);
  const std::string what = settings.synthetic ? "synthetic" : "derived";
  put_dicom(object, DCM_SeriesDescription, fmt::format("scintigen: {} {}", what, modality));
  const double number = dicom_number(from, DCM_SeriesNumber).value_or(0);
  put_dicom(object, DCM_SeriesNumber,
            std::to_string(std::abs(static_cast<int>(number)) % 100000 + 1000));
  put_dicom(object, DCM_BodyPartExamined, "BRAIN");  // unpaired: no Laterality
  put_dicom(object, DCM_Manufacturer, "scintigen");
  put_dicom(object, DCM_ManufacturerModelName, "scintigen");
  put_dicom(object, DCM_SoftwareVersions, kVersion);
  put_dicom(object, DCM_DerivationDescription, export_description(settings.synthetic));
  if (settings.synthetic) put_dicom(object, kSyntheticData, "YES");
  put_dicom(object, DCM_BurnedInAnnotation, "NO");
  put_dicom(object, DCM_PhotometricInterpretation, "MONOCHROME2");
  object.putAndInsertUint16(DCM_SamplesPerPixel, 1);
  for (const auto& [sop_class, instance] : source.instances) {
    DcmItem* item = nullptr;
    object.findOrCreateSequenceItem(DCM_SourceImageSequence, item, -2);
    put_dicom(*item, DCM_ReferencedSOPClassUID, sop_class);
    put_dicom(*item, DCM_ReferencedSOPInstanceUID, instance);
  }
  object.insertEmptyElement(DCM_PatientOrientationCodeSequence);
  object.insertEmptyElement(DCM_PatientGantryRelationshipCodeSequence);
}

void put_pet(DcmItem& object, ExportSource& source, const std::string& unit, int64_t slices) {
  DcmItem& from = *source.first.getDataset();
  const bool pet = source.series.technical.modality == "PT";
  put_now(object);
  put_dicom(object, DCM_Units,
            unit == "Bq/mL"      ? "BQML"
            : unit == "counts"   ? "CNTS"
            : unit == "counts/s" ? "CPS"
            : unit == "g/mL"     ? "GML"
                                 : "NONE");
  if (unit == "g/mL") put_dicom(object, DCM_SUVType, "BW");
  put_dicom(object, DCM_CountsSource, "EMISSION");
  put_dicom(object, DCM_SeriesType, "STATIC\\IMAGE");
  object.putAndInsertUint16(DCM_NumberOfSlices, static_cast<Uint16>(slices));
  put_dicom(object, DCM_CorrectedImage, "");
  put_dicom(object, DCM_CollimatorType,
            pet ? known(from, DCM_CollimatorType, {"NONE", "RING"}) : "");
  put_dicom(object, DCM_DecayCorrection,
            pet ? known(from, DCM_DecayCorrection, {"NONE", "START", "ADMIN"}, "NONE") : "NONE");
  put_dicom(object, DCM_FrameReferenceTime, "0");
  put_dicom(object, DCM_ActualFrameDuration, "");
  if (pet)
    for (const auto& tag : kPetNumbers) copy_numbers(object, from, tag);
  if (pet && dicom_text(object, DCM_DecayCorrection) != "NONE")
    copy_numbers(object, from, DCM_DecayFactor);
  put_dicom(object, DCM_AcquisitionDate, "");
  put_dicom(object, DCM_AcquisitionTime, "");
  put_isotope(object, source, "PT");
}

void put_nm(DcmItem& object, ExportSource& source, int64_t slices) {
  object.insertEmptyElement(DCM_EnergyWindowInformationSequence);
  object.putAndInsertUint16(DCM_NumberOfEnergyWindows, 1);
  object.putAndInsertUint16(DCM_NumberOfDetectors, 1);
  object.putAndInsertUint16(DCM_NumberOfSlices, static_cast<Uint16>(slices));
  object.insertEmptyElement(DCM_RotationInformationSequence);
  object.putAndInsertUint16(DCM_NumberOfRotations, 1);
  put_dicom(object, DCM_CountsAccumulated, "");
  put_dicom(object, DCM_AcquisitionDate, "");
  put_dicom(object, DCM_AcquisitionTime, "");
  put_isotope(object, source, "NM");
}

}  // namespace scintigen
