// SPDX-License-Identifier: Apache-2.0
// What `translate` is asked for.
#pragma once
#include <string>
#include <vector>

#include "core/device.h"
#include "core/settings.h"

namespace scintigen {

struct TranslateSettings {
  std::vector<std::string> run, input, participants;
  std::string checkpoint, cohort, session, mask, out;
  std::string counts = "profile", planes = "brain", match = "none";
  int64_t step = 0, batch_size = 8, samples = 1, seed = 1;
  double level = 0, brain_mean = 0, even_slices = 0, smooth_mm = -1;
  bool stacked = false, dropout = false, batch_statistics = false, score = false, prepared = false;
  DeviceSettings device;
  void visit(SettingsVisitor& v);
  /// throws  Error: settings that exclude each other or lack one another; a folder that is in use
  void check() const;
};

}  // namespace scintigen
