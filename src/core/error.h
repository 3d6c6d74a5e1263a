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
  explicit Error(const std::string& text) : std::runtime_error(text) {}
  template <class First, class... Rest>
  Error(fmt::format_string<First, Rest...> format, First&& first, Rest&&... rest)
      : std::runtime_error(
            fmt::format(format, std::forward<First>(first), std::forward<Rest>(rest)...)) {}
};

/// Throws Error(format...) unless `ok`.
template <class... Parts>
void require(bool ok, fmt::format_string<Parts...> format, Parts&&... parts) {
  if (!ok) throw Error(fmt::format(format, std::forward<Parts>(parts)...));
}

}  // namespace scintigen
