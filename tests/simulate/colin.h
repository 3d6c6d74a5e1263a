// SPDX-License-Identifier: Apache-2.0
// The built-in template, read once a process.
#pragma once
#include "simulate/template_head.h"

namespace scintigen {

inline const TemplateHead& colin() {
  static const TemplateHead head = load_template({});
  return head;
}

}  // namespace scintigen
