// SPDX-License-Identifier: Apache-2.0
// The page of `scintigen detect score`: curves, free response, tests between detectors.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "detection/detection_study.h"

namespace scintigen {

struct DetectionPageExtras {
  std::string title, note;          ///< any text
  std::string rule;                 ///< what a hit is, in words
  nlohmann::ordered_json settings;  ///< name -> value, shown at the end
};

/// One self-contained HTML page, complete without JavaScript. `studies`: at least one.
std::string detection_page(const std::vector<DetectorStudy>& studies, const StudyRule& rule,
                           const DetectionPageExtras& extras);

}  // namespace scintigen
