// SPDX-License-Identifier: Apache-2.0
#include "report/html.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

#include "core/atomic_file.h"

namespace scintigen {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  ///< 0: not UTF-8
};

/// The character at `place` (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF).
Character character_at(std::string_view text, size_t place) {
  const auto byte = [&](size_t i) {
    return place + i < text.size() ? static_cast<uint8_t>(text[place + i]) : uint8_t{0};
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return {};
  uint32_t code = first & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {code, length};
}

/// Marks that turn the direction of text could show a file name backwards.
bool is_shown(uint32_t code) {
  if (code < 0x20) return code == '\n' || code == '\t';
  if (code >= 0x7F && code < 0xA0) return false;
  if ((code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069)) return false;
  return code != 0xFFFE && code != 0xFFFF;
}

void add_escaped(std::string& to, std::string_view text) {
  for (size_t place = 0; place < text.size();) {
    const Character character = character_at(text, place);
    if (character.bytes == 0 || !is_shown(character.code)) {
      to += kReplacement;
      place += character.bytes == 0 ? 1 : character.bytes;
      continue;
    }
    switch (text[place]) {
      case '&':
        to += "&amp;";
        break;
      case '<':
        to += "&lt;";
        break;
      case '>':
        to += "&gt;";
        break;
      case '"':
        to += "&quot;";
        break;
      case '\'':
        to += "&#39;";
        break;
      default:
        to.append(text, place, character.bytes);
    }
    place += character.bytes;
  }
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  result.reserve(text.size() + text.size() / 8);
  add_escaped(result, text);
  return result;
}

std::string base64(std::string_view bytes) {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k)
      word = word << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k)
      result += i + k <= bytes.size() ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return result;
}

std::string content_security_policy(std::string_view script, const std::string& images) {
  std::string source = "'none'";
  if (!script.empty()) {  // the policy's form of SHA-256: base64 of its 32 bytes
    const std::string hex = sha256_of_bytes(script);
    std::string bytes;
    for (size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    source = "'sha256-" + base64(bytes) + "'";
  }
  return "default-src 'none'; img-src " + images + "; style-src 'unsafe-inline'; script-src " +
         source + "; base-uri 'none'; form-action 'none'";
}

std::string figure_text(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  const double size = std::abs(value);
  std::string text;
  if (size == 0) {
    text = "0";
  } else if (size < 1e-4 || size >= 1e6) {
    text = fmt::format("{:.{}e}", value, digits - 1);
  } else {
    const int places = digits - 1 - static_cast<int>(std::floor(std::log10(size)));
    text = fmt::format("{:.{}f}", value, places > 0 ? places : 0);
  }
  if (text[0] == '-') text.replace(0, 1, "−");
  return text;
}

std::string p_text(double p) {
  if (!std::isfinite(p)) return "–";
  if (p < 0.001) return "< 0.001";
  return fmt::format("{:.{}f}", p, p < 0.1 ? 3 : 2);
}

void Html::tag(const char* name, Attributes attributes) {
  text_ += '<';
  text_ += name;
  for (const auto& [key, value] : attributes) {
    text_ += ' ';
    text_ += key;
    text_ += "=\"";
    add_escaped(text_, value);
    text_ += '"';
  }
}

Html& Html::open(const char* name, Attributes attributes) {
  tag(name, attributes);
  text_ += '>';
  return *this;
}

Html& Html::close(const char* name) {
  text_ += "</";
  text_ += name;
  text_ += ">\n";
  return *this;
}

Html& Html::element(const char* name, Attributes attributes, std::string_view content) {
  return open(name, attributes).text(content).close(name);
}

Html& Html::single(const char* name, Attributes attributes) {
  tag(name, attributes);
  text_ += "/>";
  return *this;
}

Html& Html::text(std::string_view content) {
  add_escaped(text_, content);
  return *this;
}

Html& Html::markup(std::string_view own) {
  text_ += own;
  return *this;
}

Html& Html::append(const Html& other) {
  text_ += other.text_;
  return *this;
}

}  // namespace scintigen
