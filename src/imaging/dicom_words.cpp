// SPDX-License-Identifier: Apache-2.0
#include "imaging/dicom_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "core/error.h"
#include "imaging/dicom_values.h"

namespace scintigen {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// The first word of `known` whose mark is in `text`.
template <size_t count>
std::string known_word(const std::string& text,
                       const std::array<std::pair<const char*, const char*>, count>& known) {
  const std::string low = lower(text);
  for (const auto& [mark, word] : known)
    if (!low.empty() && low.find(mark) != std::string::npos) return word;
  return "";
}

// Marks are looked for in order; the longer name stands before what it contains.
constexpr std::array<std::pair<const char*, const char*>, 22> kTracers = {{
    {"fluorodeoxyglucose", "FDG"},
    {"fludeoxyglucose", "FDG"},
    {"fdg", "FDG"},
    {"exametazime", "HMPAO"},
    {"hmpao", "HMPAO"},
    {"ceretec", "HMPAO"},
    {"bicisate", "ECD"},
    {"ecd", "ECD"},
    {"neurolite", "ECD"},
    {"ioflupane", "Ioflupane"},
    {"fp-cit", "Ioflupane"},
    {"datscan", "Ioflupane"},
    {"iofetamine", "IMP"},
    {"florbetapir", "Florbetapir"},
    {"florbetaben", "Florbetaben"},
    {"flutemetamol", "Flutemetamol"},
    {"flortaucipir", "Flortaucipir"},
    {"flumazenil", "Flumazenil"},
    {"fluorodopa", "FDOPA"},
    {"fdopa", "FDOPA"},
    {"pib", "PiB"},
    {"fluoroethyltyrosine", "FET"},
}};

constexpr std::array<std::pair<const char*, const char*>, 14> kRadionuclides = {{
    {"c-111a1", "F-18"},
    {"fluorine", "F-18"},
    {"18f", "F-18"},
    {"f-18", "F-18"},
    {"c-163a8", "Tc-99m"},
    {"technetium", "Tc-99m"},
    {"99mtc", "Tc-99m"},
    {"tc-99m", "Tc-99m"},
    {"c-114a4", "I-123"},
    {"iodine", "I-123"},
    {"carbon", "C-11"},
    {"oxygen", "O-15"},
    {"gallium", "Ga-68"},
    {"c-105a1", "C-11"},
}};

constexpr std::array<std::pair<const char*, const char*>, 10> kManufacturers = {{
    {"siemens", "Siemens"},
    {"cps", "Siemens"},
    {"ge med", "GE"},
    {"ge health", "GE"},
    {"philips", "Philips"},
    {"adac", "Philips"},
    {"toshiba", "Canon"},
    {"canon", "Canon"},
    {"mediso", "Mediso"},
    {"united imaging", "United Imaging"},
}};

const char* const kUnits[] = {"CNTS",     "NONE",      "CM2",     "PCNT", "CPS", "BQML",
                              "MGMINML",  "UMOLMINML", "MLMING",  "MLG",  "1CM", "UMOLML",
                              "PROPCNTS", "PROPCPS",   "MLMINML", "MLML", "GML", "STDDEV"};

/// Unit and UCUM code; of several codes of a unit the first is written.
constexpr std::array<std::pair<const char*, const char*>, 9> kUcum = {{
    {"Bq/mL", "Bq/ml"},
    {"Bq/mL", "Bq/mL"},
    {"counts", "{counts}"},
    {"counts", "{propcounts}"},
    {"counts/s", "{counts}/s"},
    {"counts/s", "{propcounts}/s"},
    {"g/mL", "g/ml"},
    {"g/mL", "g/ml{SUVbw}"},
    {"1", "1"},
}};

const char* const kClasses[] = {UID_MRImageStorage,
                                UID_EnhancedMRImageStorage,
                                UID_LegacyConvertedEnhancedMRImageStorage,
                                UID_PositronEmissionTomographyImageStorage,
                                UID_EnhancedPETImageStorage,
                                UID_LegacyConvertedEnhancedPETImageStorage,
                                UID_NuclearMedicineImageStorage};

bool has_word(DcmItem& data_set, const DcmTagKey& tag, const std::string& word) {
  for (unsigned long i = 0; i < 16; ++i)
    if (dicom_text(data_set, tag, i) == word) return true;
  return false;
}

std::string code_text(DcmItem& item, const DcmTagKey& sequence) {
  DcmItem* const code = dicom_item(item, sequence);
  if (code == nullptr) return "";
  return dicom_text(*code, DCM_CodeMeaning) + " " + dicom_text(*code, DCM_CodeValue);
}

/// Image Type value 3 of NM (PS3.3 C.8.4.9.1.1): only what was reconstructed is a volume.
std::string nm_refusal(DcmItem& data_set) {
  static const char* const raw[] = {"STATIC", "WHOLE BODY", "DYNAMIC",
                                    "GATED",  "TOMO",       "GATED TOMO"};
  const std::string kind = dicom_text(data_set, DCM_ImageType, 2);
  for (const char* name : raw)
    if (kind == name)
      return fmt::format(
          "NM image of kind {}: raw projections or planar views; expected a "
          "reconstruction (RECON TOMO); reconstruct it first",
          name);
  if (kind == "RECON GATED TOMO")
    return "NM image of kind RECON GATED TOMO: several volumes in time; expected RECON TOMO; "
           "export one "
           "volume";
  if (kind != "RECON TOMO")
    return "NM image whose Image Type (0008,0008) does not say what it is; expected RECON TOMO as "
           "its "
           "third value";
  if (dicom_text(data_set, DCM_ImageType, 3) == "TRANSMISSION")
    return "NM transmission image (an attenuation map); expected emission";
  return "";
}

std::string pet_refusal(DcmItem& data_set) {
  if (dicom_text(data_set, DCM_SeriesType, 1) == "REPROJECTION")
    return "PET reprojections; expected transverse slices";
  return "";
}

/// A time of an MR series: at the top level, or (enhanced) in the functional groups, shared or of
/// the first frame. 0 where it is not given or cannot be read: it only tells kinds of MR apart.
double timing_ms(DcmItem& data_set, const DcmTagKey& top, const DcmTagKey& group,
                 const DcmTagKey& inside) {
  try {
    if (const auto value = dicom_numbers(data_set, top); !value.empty()) return value[0];
    for (const auto& groups :
         {DCM_SharedFunctionalGroupsSequence, DCM_PerFrameFunctionalGroupsSequence})
      if (DcmItem* const item = dicom_item(data_set, groups))
        if (DcmItem* const timing = dicom_item(*item, group))
          if (const auto value = dicom_numbers(*timing, inside); !value.empty()) return value[0];
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace

std::string ucum_code(const std::string& unit) {
  for (const auto& [name, code] : kUcum)
    if (unit == name) return code;
  return "1";
}

std::string unit_of_ucum(const std::string& code) {
  for (const auto& [name, known] : kUcum)
    if (code == known) return name;
  return "";
}

std::string dicom_uid_name(const std::string& uid) {
  const char* const name = dcmFindNameOfUID(uid.c_str());
  return name == nullptr ? "an unknown one" : name;
}

DicomTechnical dicom_technical(DcmItem& data_set) {
  DicomTechnical technical;
  const std::string modality = dicom_text(data_set, DCM_Modality);
  if (modality == "MR" || modality == "PT" || modality == "NM") technical.modality = modality;
  if (DcmItem* const drug = dicom_item(data_set, DCM_RadiopharmaceuticalInformationSequence)) {
    technical.tracer = known_word(code_text(*drug, DCM_RadiopharmaceuticalCodeSequence) + " " +
                                      dicom_text(*drug, DCM_Radiopharmaceutical),
                                  kTracers);
    technical.radionuclide = known_word(code_text(*drug, DCM_RadionuclideCodeSequence) + " " +
                                            dicom_text(*drug, DCM_Radiopharmaceutical),
                                        kRadionuclides);
  }
  const std::string units = dicom_text(data_set, DCM_Units);
  if (std::find(std::begin(kUnits), std::end(kUnits), units) != std::end(kUnits))
    technical.units = units;
  technical.manufacturer = known_word(dicom_text(data_set, DCM_Manufacturer), kManufacturers);
  try {
    technical.slice_thickness_mm = dicom_number(data_set, DCM_SliceThickness).value_or(0);
  } catch (const std::exception&) {
    technical.slice_thickness_mm = 0;  // it places nothing
  }
  technical.echo_time_ms =
      timing_ms(data_set, DCM_EchoTime, DCM_MREchoSequence, DCM_EffectiveEchoTime);
  technical.repetition_time_ms = timing_ms(
      data_set, DCM_RepetitionTime, DCM_MRTimingAndRelatedParametersSequence, DCM_RepetitionTime);
  technical.inversion_time_ms =
      timing_ms(data_set, DCM_InversionTime, DCM_MRModifierSequence, DCM_InversionTimes);
  return technical;
}

std::string dicom_kind_refusal(DcmItem& data_set) {
  const std::string sop_class = dicom_text(data_set, DCM_SOPClassUID);
  if (std::find(std::begin(kClasses), std::end(kClasses), sop_class) == std::end(kClasses))
    return fmt::format("SOP class is {}; expected an MR, PET or NM image",
                       dicom_uid_name(sop_class));
  static const char* const known[] = {"CT", "CR", "DX", "MG", "US", "XA", "OT", "SC", "SR", "SEG"};
  const std::string modality = dicom_text(data_set, DCM_Modality);
  if (modality != "MR" && modality != "PT" && modality != "NM") {
    const auto* const name = std::find(std::begin(known), std::end(known), modality);
    return fmt::format("Modality (0008,0060) is {}; expected MR, PT or NM",
                       name == std::end(known) ? "another one" : *name);
  }
  const std::string colour = dicom_text(data_set, DCM_PhotometricInterpretation);
  if (colour != "MONOCHROME1" && colour != "MONOCHROME2")
    return "a picture in colour or without Photometric Interpretation (0028,0004); expected "
           "MONOCHROME1 or MONOCHROME2";
  for (const char* word : {"LOCALIZER", "MOSAIC", "PROJECTION IMAGE", "SCREEN SAVE"})
    if (has_word(data_set, DCM_ImageType, word))
      return fmt::format("Image Type (0008,0008) says {}; expected the slices of a volume", word);
  if (modality == "NM") return nm_refusal(data_set);
  return modality == "PT" ? pet_refusal(data_set) : "";
}

std::string volume_unit(const std::string& units, const std::string& modality) {
  if (units == "BQML") return "Bq/mL";
  if (units == "CNTS" || units == "PROPCNTS") return "counts";
  if (units == "CPS" || units == "PROPCPS") return "counts/s";
  if (units == "GML") return "g/mL";
  if (units == "NONE") return "1";
  return modality == "NM" ? "counts" : "";
}

}  // namespace scintigen
