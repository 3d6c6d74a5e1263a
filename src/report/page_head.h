// SPDX-License-Identifier: Apache-2.0
// The head that every page of this program has.
#pragma once
#include <string>
#include <string_view>

#include "report/html.h"

namespace scintigen {

/// Doctype, html, head: the page's policy (`script` alone may run, pictures come from `images`
/// alone: html.h), title, the report's style and `more_style` after it.
void write_page_head(Html& html, const std::string& title, std::string_view script,
                     const std::string& images, std::string_view more_style = "");

}  // namespace scintigen
