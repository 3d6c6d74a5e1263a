// SPDX-License-Identifier: Apache-2.0
// What a modality shows, by its name in a table of volumes.
#pragma once
#include <string>

namespace scintigen {

/// PET and SPECT: uptake of a tracer, where MRI shows anatomy.
inline bool is_emission(const std::string& modality) {
  return modality == "pet" || modality == "spect";
}

}  // namespace scintigen
