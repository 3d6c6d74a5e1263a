// SPDX-License-Identifier: Apache-2.0
// What lies between two images of a run's generator: a strip of each condition for the report.
#pragma once
#include <filesystem>
#include <vector>

#include "report/report.h"

namespace scintigen {

/// Nine steps on a great circle between two latents, for up to eight of the conditions that were
/// trained on, by the checkpoint that `generate --run` would take. Says why there is none.
std::vector<InterpolationStrip> interpolation_strips(const std::filesystem::path& run,
                                                     uint64_t seed);

}  // namespace scintigen
