// SPDX-License-Identifier: Apache-2.0
// Identifying texts for made-up DICOM files: whatever a program makes of the files, none may show.
#pragma once
#include "imaging/dicom_maker.h"

namespace scintigen {

/// Text tags of every kind, in a source and its sequences, with a text that must not come out.
inline int put_canaries(MadeDicom& made) {
  static const DcmTagKey tags[] = {DCM_PatientName,
                                   DCM_PatientID,
                                   DCM_IssuerOfPatientID,
                                   DCM_OtherPatientNames,
                                   DCM_RETIRED_OtherPatientIDs,
                                   DCM_PatientComments,
                                   DCM_AdditionalPatientHistory,
                                   DCM_Occupation,
                                   DCM_EthnicGroup,
                                   DCM_MedicalAlerts,
                                   DCM_Allergies,
                                   DCM_StudyID,
                                   DCM_AccessionNumber,
                                   DCM_StudyDescription,
                                   DCM_SeriesDescription,
                                   DCM_ReferringPhysicianName,
                                   DCM_PhysiciansOfRecord,
                                   DCM_PerformingPhysicianName,
                                   DCM_OperatorsName,
                                   DCM_InstitutionName,
                                   DCM_InstitutionAddress,
                                   DCM_InstitutionalDepartmentName,
                                   DCM_StationName,
                                   DCM_Manufacturer,
                                   DCM_ManufacturerModelName,
                                   DCM_DeviceSerialNumber,
                                   DCM_ProtocolName,
                                   DCM_ImageComments,
                                   DCM_DerivationDescription,
                                   DCM_RequestedProcedureDescription,
                                   DCM_BodyPartExamined,
                                   DCM_PatientPosition,
                                   DCM_ScatterCorrectionMethod,
                                   DCM_AttenuationCorrectionMethod,
                                   DCM_ReconstructionMethod,
                                   DCM_SoftwareVersions,
                                   DCM_DecayCorrection,
                                   DCM_CollimatorType,
                                   DCM_PositionReferenceIndicator,
                                   DCM_CorrectedImage};
  int count = 0;
  for (const auto& tag : tags) made.text(tag, fmt::format("CANARY{}", count++));
  made.text(DCM_PatientBirthDate, "19123456")
      .text(DCM_StudyDate, "19123456")
      .text(DCM_PatientAge, "CNRY");
  made.text(DCM_SeriesDate, "19123456")
      .text(DCM_AcquisitionDate, "19123456")
      .text(DCM_ContentDate, "19123456");
  DcmItem& drug = MadeDicom::in(made.item(), DCM_RadiopharmaceuticalInformationSequence);
  MadeDicom::put_text(drug, DCM_Radiopharmaceutical, "FDG CANARY50");
  DcmItem& nuclide = MadeDicom::in(drug, DCM_RadionuclideCodeSequence);
  MadeDicom::put_text(nuclide, DCM_CodeMeaning, "Fluorine CANARY51");
  MadeDicom::put_text(nuclide, DCM_CodeValue, "CANARY52");
  MadeDicom::put_text(MadeDicom::in(made.item(), DCM_RequestAttributesSequence),
                      DCM_ScheduledProcedureStepID, "CANARY53");
  for (Uint16 element : {0x0010, 0x1001})
    made.item().putAndInsertString(DcmTag(0x0009, element, EVR_LO), "CANARY54");
  return count;
}

}  // namespace scintigen
