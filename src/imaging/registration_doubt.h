// SPDX-License-Identifier: Apache-2.0
// What a registration says of itself, for records and people.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "imaging/registration.h"

namespace scintigen {

/// score, mutual_information, doubtful (and why), flip, flip_margin, fixed_to_moving_ras_mm.
nlohmann::ordered_json registration_record(const Registration& registration);

/// Why a registration ("to the T1w") is not to be trusted: it failed, or the scan fits better
/// mirrored; "" if it is.
std::string doubt_of(const Registration& registration, const std::string& what);

}  // namespace scintigen
