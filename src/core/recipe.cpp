// SPDX-License-Identifier: Apache-2.0
// The flat part of TOML 1.0 that recipes use: name = text, number, true/false or a list of them.
// Not CLI11's reader: it (2.1) cuts a text at '#', joins repeated names, takes an unclosed list or
// quote, and makes three elements of ["x" , "y"], all without a word.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/settings.h"

namespace scintigen {
namespace {

using nlohmann::ordered_json;

constexpr uint64_t kLimitBytes = uint64_t{1} << 20;

/// Steps over digits, single '_' between them allowed; false if there is none.
bool skip_digits(const char*& at) {
  const char* const begin = at;
  while (std::isdigit(static_cast<unsigned char>(*at)) ||
         (*at == '_' && at > begin && std::isdigit(static_cast<unsigned char>(at[1]))))
    ++at;
  return at > begin;
}

/// TOML's decimal numbers: no leading zeros, digits on both sides of the point.
bool is_number(const std::string& word, bool& whole) {
  const char* at = word.c_str();
  if (*at == '+' || *at == '-') ++at;
  const char* const first = at;
  if (!skip_digits(at) || (*first == '0' && at > first + 1)) return false;
  whole = *at == '\0';
  if (*at == '.' && !skip_digits(++at)) return false;
  if (*at == 'e' || *at == 'E') {
    ++at;
    if (*at == '+' || *at == '-') ++at;
    if (!skip_digits(at)) return false;
  }
  return *at == '\0';
}

class RecipeReader {
 public:
  RecipeReader(std::string name, const std::string& text) : name_(std::move(name)), text_(text) {
    if (text_.compare(0, 3, "\xEF\xBB\xBF") == 0) place_ = 3;
  }

  ordered_json read() {
    ordered_json values = ordered_json::object();
    for (skip_blank(); place_ < text_.size(); skip_blank()) {
      const std::string key = read_key();
      check(!values.contains(key), "'{}' is set twice", key);
      values[key] = read_value(key);
      skip_spaces();
      if (next() == '#') skip_comment();
      check(place_ >= text_.size() || next() == '\n', "text after the value of '{}'", key);
    }
    return values;
  }

 private:
  template <class... Parts>
  void check(bool ok, fmt::format_string<Parts...> format, Parts&&... parts) const {
    if (!ok)
      throw Error("{}: line {}: {}", name_, line_,
                  fmt::format(format, std::forward<Parts>(parts)...));
  }

  char next() const { return place_ < text_.size() ? text_[place_] : '\0'; }

  void skip_spaces() {
    while (next() == ' ' || next() == '\t' || next() == '\r') ++place_;
  }
  void skip_comment() {
    while (place_ < text_.size() && next() != '\n') ++place_;
  }
  void skip_blank() {
    for (;; ++place_) {
      skip_spaces();
      if (next() == '#') skip_comment();
      if (next() != '\n') return;
      ++line_;
    }
  }

  std::string read_key() {
    check(next() != '[', "a [section]; a recipe is flat: name = value, one a line");
    const size_t begin = place_;
    while (std::isalnum(static_cast<unsigned char>(next())) || next() == '_' || next() == '-')
      ++place_;
    const std::string key = text_.substr(begin, place_ - begin);
    check(!key.empty(), "expected a setting's name, found '{}'", rest_of_line());
    check(next() != '.', "'{}.' is a dotted name; a recipe is flat: name = value", key);
    skip_spaces();
    check(next() == '=', "expected '=' after '{}'", key);
    ++place_;
    return key;
  }

  std::string rest_of_line() const {
    return text_.substr(place_, std::min(text_.find('\n', place_), place_ + 40) - place_);
  }

  ordered_json read_value(const std::string& key) {
    skip_spaces();
    if (next() != '[') return read_single(key);
    ordered_json list = ordered_json::array();
    ++place_;
    for (;;) {
      skip_blank();
      if (next() == ']') break;
      list.push_back(read_single(key));
      skip_blank();
      if (next() == ']') break;
      check(next() == ',', "expected ',' or ']' in the list of '{}'", key);
      ++place_;
    }
    ++place_;
    return list;
  }

  ordered_json read_single(const std::string& key) {
    if (next() == '"' || next() == '\'') return read_text(key);
    const size_t begin = place_;
    while (std::isalnum(static_cast<unsigned char>(next())) ||
           (next() != '\0' && std::strchr("+-._", next()) != nullptr))
      ++place_;
    std::string word = text_.substr(begin, place_ - begin);
    if (word == "true" || word == "false") return word == "true";
    bool is_whole = false;
    if (!is_number(word, is_whole)) {
      place_ = begin;
      throw Error(
          "{}: line {}: '{}' has no value that can be read; expected \"text\", a number, "
          "true, false or a [list], found '{}'",
          name_, line_, key, rest_of_line());
    }
    word.erase(std::remove(word.begin(), word.end(), '_'), word.end());
    const char* from = word.data() + (word[0] == '+' ? 1 : 0);
    if (is_whole) return number<int64_t>(key, from, word);
    return number<double>(key, from, word);
  }

  template <class Number>
  ordered_json number(const std::string& key, const char* from, const std::string& word) const {
    Number value = 0;
    const auto result = std::from_chars(from, word.data() + word.size(), value);
    check(result.ec == std::errc(), "the number of '{}' is too large: {}", key, word);
    return value;
  }

  std::string read_text(const std::string& key) {
    const char quote = next();
    check(text_.compare(place_, 3, std::string(3, quote)) != 0,
          "'{}' has a text of several lines; one line only", key);
    std::string value;
    for (++place_; next() != quote; ++place_) {
      check(place_ < text_.size() && next() != '\n', "the quote of '{}' is not closed", key);
      if (quote == '"' && next() == '\\') {
        ++place_;
        const char* const from = "btnfr\"\\";
        const char* const to = "\b\t\n\f\r\"\\";
        const char* const found = next() == '\0' ? nullptr : std::strchr(from, next());
        check(found != nullptr,
              "'{}' has an unknown \\ sequence; use 'single quotes' for a plain \\", key);
        value += to[found - from];
      } else {
        value += next();
      }
    }
    ++place_;
    return value;
  }

  std::string name_;
  const std::string& text_;
  size_t place_ = 0, line_ = 1;
};

}  // namespace

void settings_from_recipe(Settings& settings, const std::filesystem::path& recipe) {
  const std::string text = read_file(recipe, kLimitBytes);
  require(text.find('\0') == std::string::npos, "{}: holds NUL bytes; expected a TOML text file",
          recipe.string());
  settings_from_json(settings, RecipeReader(recipe.string(), text).read(), recipe.string());
}

}  // namespace scintigen
