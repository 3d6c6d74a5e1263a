// SPDX-License-Identifier: Apache-2.0
#include "core/settings.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/table.h"

namespace scintigen {
namespace {

using nlohmann::ordered_json;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string shown(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void check(const Setting& setting, const std::string& where, double value,
           const std::string& found) {
  // Negated so that not-a-number is refused too.
  if (value >= setting.minimum && value <= setting.maximum) return;
  std::string range = "a number";
  const bool below = std::isfinite(setting.minimum), above = std::isfinite(setting.maximum);
  if (below && above)
    range = number_text(setting.minimum) + " to " + number_text(setting.maximum);
  else if (below)
    range = "at least " + number_text(setting.minimum);
  else if (above)
    range = "at most " + number_text(setting.maximum);
  throw Error("{}: {} is out of range; expected {}, found {}", where, setting.name, range, found);
}

void check(const Setting& setting, const std::string& where, bool) {
  (void)setting;
  (void)where;
}
void check(const Setting& setting, const std::string& where, int64_t value) {
  check(setting, where, static_cast<double>(value), std::to_string(value));
}
void check(const Setting& setting, const std::string& where, double value) {
  check(setting, where, value, number_text(value));
}
void check(const Setting& setting, const std::string& where, const std::string& value) {
  const auto& choices = setting.choices;
  if (choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  const auto near = nearest_word(value, choices);
  throw Error("{}: {} cannot be '{}'; expected one of {}{}", where, setting.name, value,
              joined(choices), near ? "; did you mean '" + *near + "'?" : std::string());
}
template <class Element>
void check(const Setting& setting, const std::string& where, const std::vector<Element>& value) {
  for (const Element& element : value) check(setting, where, element);
}

template <class Value>
bool absent(const Value&) {
  return false;
}
bool absent(const std::string& value) { return value.empty(); }
template <class Element>
bool absent(const std::vector<Element>& value) {
  return value.empty();
}

/// One body for the six types.
template <class Derived>
class EachType : public SettingsVisitor {
 public:
  void visit(const Setting& s, bool& v) final { self().each(s, v); }
  void visit(const Setting& s, int64_t& v) final { self().each(s, v); }
  void visit(const Setting& s, double& v) final { self().each(s, v); }
  void visit(const Setting& s, std::string& v) final { self().each(s, v); }
  void visit(const Setting& s, std::vector<std::string>& v) final { self().each(s, v); }
  void visit(const Setting& s, std::vector<int64_t>& v) final { self().each(s, v); }

 private:
  Derived& self() { return static_cast<Derived&>(*this); }
};

struct NameLister : EachType<NameLister> {
  std::vector<std::string> names;
  template <class Value>
  void each(const Setting& setting, Value&) {
    names.push_back(setting.name);
  }
};

struct JsonWriter : EachType<JsonWriter> {
  ordered_json values = ordered_json::object();
  template <class Value>
  void each(const Setting& setting, Value& value) {
    values[setting.name] = value;
  }
};

struct Checker : EachType<Checker> {
  std::string where;
  template <class Value>
  void each(const Setting& setting, Value& value) {
    require(!setting.required || !absent(value), "{}: {} is not given ({})", where, setting.name,
            setting.help);
    check(setting, where, value);
  }
};

/// JSON -> member, or false for the wrong type.
bool convert(const ordered_json& from, bool& to) {
  if (!from.is_boolean()) return false;
  to = from.get<bool>();
  return true;
}
bool convert(const ordered_json& from, int64_t& to) {
  if (from.is_number_float()) {  // other programs write 4.0 for 4
    const double number = from.get<double>();
    if (std::floor(number) != number || std::abs(number) > 9007199254740992.0) return false;
    to = static_cast<int64_t>(number);
    return true;
  }
  const bool fits = from.is_number_integer() &&
                    !(from.is_number_unsigned() &&
                      from.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()});
  if (fits) to = from.get<int64_t>();
  return fits;
}
bool convert(const ordered_json& from, double& to) {
  if (!from.is_number()) return false;
  to = from.get<double>();
  return true;
}
bool convert(const ordered_json& from, std::string& to) {
  if (!from.is_string()) return false;
  to = from.get<std::string>();
  return true;
}
template <class Element>
bool convert(const ordered_json& from, std::vector<Element>& to) {
  if (!from.is_array()) return false;
  to.clear();
  for (const ordered_json& part : from) {
    Element element{};
    if (!convert(part, element)) return false;
    to.push_back(std::move(element));
  }
  return true;
}

const char* type_text(const bool&) { return "true or false"; }
const char* type_text(const int64_t&) { return "a whole number"; }
const char* type_text(const double&) { return "a number"; }
const char* type_text(const std::string&) { return "text"; }
const char* type_text(const std::vector<std::string>&) { return "a list of texts"; }
const char* type_text(const std::vector<int64_t>&) { return "a list of whole numbers"; }

struct JsonReader : EachType<JsonReader> {
  JsonReader(const ordered_json& all, std::string place, bool set)
      : values(all), where(std::move(place)), assign(set) {}
  const ordered_json& values;
  std::string where;
  bool assign;
  template <class Value>
  void each(const Setting& setting, Value& value) {
    const auto found = values.find(setting.name);
    if (found == values.end()) return;
    Value converted{};
    require(convert(*found, converted), "{}: {} has the wrong type; expected {}, found {}", where,
            setting.name, type_text(value), shown(*found));
    check(setting, where, converted);
    if (assign) value = std::move(converted);
  }
};

}  // namespace

Setting number(std::string name, std::string help, double minimum, double maximum) {
  Setting setting;
  setting.name = std::move(name);
  setting.help = std::move(help);
  setting.minimum = minimum;
  setting.maximum = maximum;
  return setting;
}

Setting text(std::string name, std::string help) {
  return number(std::move(name), std::move(help));
}

Setting choice(std::string name, std::string help, std::vector<std::string> choices) {
  Setting setting = number(std::move(name), std::move(help));
  setting.choices = std::move(choices);
  return setting;
}

Setting flag(std::string name, std::string help) {
  return number(std::move(name), std::move(help));
}

Setting required(Setting setting) {
  setting.required = true;
  return setting;
}

Setting positional(Setting setting) {
  setting.positional = true;
  return setting;
}

ordered_json settings_to_json(Settings& settings) {
  JsonWriter writer;
  settings.visit(writer);
  return std::move(writer.values);
}

void settings_from_json(Settings& settings, const ordered_json& values, const std::string& where) {
  require(values.is_object(), "{}: expected names and values, found {}", where, shown(values));
  NameLister lister;
  settings.visit(lister);
  for (const auto& [name, value] : values.items()) {
    if (std::find(lister.names.begin(), lister.names.end(), name) != lister.names.end()) continue;
    const auto near = nearest_word(name, lister.names);
    throw Error("{}: no setting is named '{}'; {}", where, name,
                near ? "did you mean '" + *near + "'?" : "there are: " + joined(lister.names));
  }
  JsonReader trial(values, where, false);  // nothing is set if anything is wrong
  settings.visit(trial);
  JsonReader reader(values, where, true);
  settings.visit(reader);
}

void check_settings(Settings& settings, const std::string& where) {
  Checker checker;
  checker.where = where;
  settings.visit(checker);
}

}  // namespace scintigen
