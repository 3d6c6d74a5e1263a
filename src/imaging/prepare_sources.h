// SPDX-License-Identifier: Apache-2.0
// The three kinds of input that prepare knows. Each fills PreparePlan::patients and ::columns.
#pragma once
#include "imaging/prepare.h"

namespace scintigen {

/// sub-*/[ses-*/]{anat,pet,spect}/*_<suffix>.nii[.gz]; units and tracer from the sidecar, ages and
/// groups from participants.tsv. T1w of a person without a session serve all sessions.
void find_bids_scans(PreparePlan& plan);

/// Any folder of DICOM files; people by patient's ID, numbered sub-001, sub-002, ... in the order
/// of their study's UID: no name or ID leaves the files. MR series are told apart by their timing.
void find_dicom_scans(PreparePlan& plan);

/// A table with participant_id, modality, file and, if there are several, session. `file` is a
/// NIfTI file or a DICOM folder with one series, from the table's folder. unit and tracer are taken
/// where there; any other column describes the person.
void find_table_scans(PreparePlan& plan);

/// Whether `folder` looks like a BIDS tree (a sub-* folder, or dataset_description.json).
bool looks_like_bids(const std::filesystem::path& folder);

}  // namespace scintigen
