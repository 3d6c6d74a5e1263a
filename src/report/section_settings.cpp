// SPDX-License-Identifier: Apache-2.0
// How it was made, so that it can be made again; and a paragraph for the paper.
#include <algorithm>

#include "report/page.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kDeepest = 8;  ///< settings come from files

std::string value_text(const Json& value) {
  if (value.is_string() && value.get_ref<const std::string&>().empty()) return "–";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "–";
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_plain(const Json& value) { return !value.is_object() && !value.is_array(); }

/// Objects with the same keys and plain values, as the inputs with their SHA-256.
bool is_table(const Json& value) {
  if (!value.is_array() || value.empty() || !value[0].is_object() || value[0].empty()) return false;
  return std::all_of(value.begin(), value.end(), [&](const Json& row) {
    if (!row.is_object() || row.size() != value[0].size()) return false;
    return std::all_of(row.items().begin(), row.items().end(), [&](const auto& item) {
      return value[0].contains(item.key()) && is_plain(item.value());
    });
  });
}

std::string label_of(const std::string& key) {
  std::string text = key;
  std::replace(text.begin(), text.end(), '_', ' ');
  if (text == "sha256") return "SHA-256";
  return sentence(text);
}

void write_table(Page& page, const std::string& name, const Json& list) {
  std::vector<std::string> columns;
  std::vector<size_t> text_columns;
  for (const auto& item : list[0].items()) {
    if (item.value().is_string()) text_columns.push_back(columns.size());
    columns.push_back(label_of(item.key()));
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& entry : list) {
    auto& row = rows.emplace_back();
    for (const auto& item : list[0].items()) row.push_back(value_text(entry[item.key()]));
  }
  page.table(label_of(name) + ".", columns, rows, text_columns);
}

void write_object(Page& page, const Json& object, int depth) {
  Html& html = page.html;
  const auto is_wide = [&](const Json& value) {
    return is_table(value) || (value.is_object() && !value.empty() && depth < kDeepest);
  };
  html.open("dl", {{"class", "settings"}});
  for (const auto& item : object.items()) {
    const Json& value = item.value();
    if (is_wide(value)) continue;
    html.element("dt", label_of(item.key())).open("dd");
    if (value.is_array() && std::all_of(value.begin(), value.end(), is_plain)) {
      std::string text;
      for (const Json& one : value) text += (text.empty() ? "" : " ") + value_text(one);
      html.element("code", text.empty() ? "–" : text);
    } else {
      html.element("code", value_text(value));
    }
    html.close("dd");
  }
  html.close("dl");
  for (const auto& item : object.items()) {
    const Json& value = item.value();
    if (!is_wide(value)) continue;
    if (is_table(value)) {
      write_table(page, item.key(), value);
      continue;
    }
    html.element(depth == 0 ? "h3" : "h4", label_of(item.key()));
    write_object(page, value, depth + 1);
  }
}

}  // namespace

void write_settings(Page& page) {
  const Json& settings = page.extras.settings;
  if (!settings.is_object() || settings.empty()) return;
  page.open_section("settings", "Settings and inputs");
  write_object(page, settings, 0);
  page.close_section();
}

void write_methods(Page& page) {
  if (page.evaluation.methods.empty()) return;
  page.open_section("methods", "Methods, to paste");
  page.html.open("div", {{"class", "paste"}});
  page.html.element("p", {{"id", "methods-text"}}, page.evaluation.methods).close("div");
  page.close_section();
}

}  // namespace scintigen
