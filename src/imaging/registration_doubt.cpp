// SPDX-License-Identifier: Apache-2.0
#include "imaging/registration_doubt.h"

#include <fmt/format.h>

namespace scintigen {

nlohmann::ordered_json registration_record(const Registration& registration) {
  static constexpr const char* kFlips[] = {"as stored", "mirrored fits better", "cannot tell",
                                           "not checked"};
  nlohmann::ordered_json record;
  record["score"] = registration.score;
  record["mutual_information"] = registration.mutual_information;
  record["doubtful"] = registration.doubtful;
  if (registration.doubtful) record["why"] = registration.why;
  record["flip"] = kFlips[static_cast<size_t>(registration.flip)];
  record["flip_margin"] = registration.flip_margin;
  if (registration.fit_fwhm_mm > 0)
    record["fit"] = {{"explained", registration.fit_explained},
                     {"moved_mm", registration.fit_moved_mm},
                     {"fwhm_mm", registration.fit_fwhm_mm}};
  record["fixed_to_moving_ras_mm"] = registration.fixed_to_moving;
  return record;
}

std::string doubt_of(const Registration& registration, const std::string& what) {
  if (registration.doubtful)
    return fmt::format("registration {} is doubtful: {}", what, registration.why);
  if (registration.flip == FlipCheck::kMirroredFitsBetter)
    return fmt::format("mirrored left to right it fits better ({}): is the scan flipped?", what);
  return "";
}

}  // namespace scintigen
