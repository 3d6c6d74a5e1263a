// SPDX-License-Identifier: Apache-2.0
// What `scintigen siscom` leaves behind: maps, tables, pictures, transforms, figures, the page.
#pragma once
#include <filesystem>

#include "cli/siscom_work.h"
#include "report/result_page.h"

namespace scintigen {

/// Figures of a result, for siscom.json.
nlohmann::ordered_json siscom_figures(const SiscomResult& result);

/// Maps (NIfTI, DICOM where asked for), clusters*.tsv, transforms, overlay_*.png, siscom.json and
/// report.html below settings.out. docs/file_formats.md, "SISCOM".
void write_siscom(SiscomSettings& settings, const SiscomResult& result);

/// The page (siscom_page.cpp). `pictures`: of the clusters shown.
ResultPage siscom_page(SiscomSettings& settings, const SiscomResult& result,
                       const std::vector<ResultPicture>& pictures);

}  // namespace scintigen
