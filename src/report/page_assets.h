// SPDX-License-Identifier: Apache-2.0
// The report's style sheet and script, which the build puts into the program.
#pragma once
#include <string_view>

namespace scintigen {

/// web/report.css
std::string_view page_style();
/// The bundle of web/src with Plotly; empty in a build without SCINTIGEN_WEB.
std::string_view page_script();

}  // namespace scintigen
