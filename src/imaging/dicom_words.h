// SPDX-License-Identifier: Apache-2.0
// Words that may leave a DICOM file, each out of a list of known ones.
#pragma once
#include "imaging/dicom_series.h"

class DcmItem;

namespace scintigen {

/// Everything of `data_set` that DicomTechnical may hold.
DicomTechnical dicom_technical(DcmItem& data_set);

/// Why files of this SOP class, modality, kind or colour hold no volume; "" where they may.
std::string dicom_kind_refusal(DcmItem& data_set);

/// "Bq/mL", "counts", ...; "" = not known. `units` is (0054,1001), `modality` MR, PT, NM.
std::string volume_unit(const std::string& units, const std::string& modality);

/// UCUM code of a unit of Volume::unit, as Measurement Units Code (0040,08EA) holds it; "1" (no
/// units) for "" and units without one.
std::string ucum_code(const std::string& unit);

/// The unit of a UCUM code: ucum_code() back, and other codes of the same (PS3.16 CID 84, 85); "" =
/// not known. Checked tests/imaging/test_export_settings.cpp
std::string unit_of_ucum(const std::string& code);

/// A name for a UID of DICOM's registry; "an unknown one" for others.
std::string dicom_uid_name(const std::string& uid);

}  // namespace scintigen
