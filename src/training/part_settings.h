// SPDX-License-Identifier: Apache-2.0
// A struct with visit() as Settings of its own: what a recipe writes of its settings into metadata.
#pragma once
#include "core/settings.h"

namespace scintigen {

template <class Part>
struct PartSettings : Settings {
  explicit PartSettings(Part& of) : part(of) {}
  void visit(SettingsVisitor& visitor) override { part.visit(visitor); }
  Part& part;
};

}  // namespace scintigen
