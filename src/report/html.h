// SPDX-License-Identifier: Apache-2.0
// Writing HTML and SVG such that no text can become markup.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace scintigen {

/// Text for the content of an element or a quoted attribute. & < > " ' become entities; what is not
/// UTF-8, control characters and marks that turn the direction of text become U+FFFD.
std::string escaped(std::string_view text);

/// RFC 4648, section 4.
std::string base64(std::string_view bytes);

/// The content of a page's Content-Security-Policy: this script alone may run (none where empty),
/// pictures come from `images` alone ("data: blob:"), nothing else is loaded or sent. Holds even if
/// markup slipped through.
std::string content_security_policy(std::string_view script, const std::string& images);

/// A number for a reader: `digits` significant ones, no exponent between 1e-4 and 1e6, a true minus
/// sign; "–" for what is not finite.
std::string figure_text(double value, int digits = 3);

/// "< 0.001", "0.012", "0.46"
std::string p_text(double p);

/// A piece of a page. Tags and names of attributes are literals of this program, values and text
/// come from anywhere.
class Html {
 public:
  using Attributes = std::initializer_list<std::pair<const char*, std::string>>;

  Html& open(const char* tag, Attributes attributes = {});
  Html& close(const char* tag);
  Html& element(const char* tag, Attributes attributes, std::string_view text);
  Html& element(const char* tag, std::string_view text) { return element(tag, {}, text); }
  /// A tag without content: img, path, line.
  Html& single(const char* tag, Attributes attributes);
  Html& text(std::string_view text);
  /// Markup of this program's own; never a text of other origin.
  Html& markup(std::string_view own);
  Html& append(const Html& other);

  const std::string& str() const { return text_; }

 private:
  void tag(const char* name, Attributes attributes);
  std::string text_;
};

}  // namespace scintigen
