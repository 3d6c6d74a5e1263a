// SPDX-License-Identifier: Apache-2.0
// The one exception of scintigen.
// Does: carry one clear line for the user.  Does not: carry codes, stack traces or a class tree.
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace scintigen {

/// Something the user gave cannot be used. The text is one line that says
/// where, what is wrong, what was expected, what was found, and what to do:
///   "sub-03_spect.nii.gz: volume is 4-D [64,64,48,7]; expected 3-D; extract one frame first".
class Error : public std::runtime_error {
 public:
  explicit Error(std::string text) : std::runtime_error(one_line(std::move(text))) {}
  template <class First, class... Rest>
  Error(fmt::format_string<First, Rest...> format, First&& first, Rest&&... rest)
      : Error(fmt::format(format, std::forward<First>(first), std::forward<Rest>(rest)...)) {}

  /// Text of other origin (a cell, a file name) must not break the line or steer a terminal.
  static std::string one_line(std::string text) {
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return text;
  }
};

/// Throws Error(format...) unless `ok`.
template <class... Parts>
void require(bool ok, fmt::format_string<Parts...> format, Parts&&... parts) {
  if (!ok) throw Error(fmt::format(format, std::forward<Parts>(parts)...));
}

}  // namespace scintigen
