// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/settings.h"
#include "core/temporary_folder.h"

using namespace scintigen;
using nlohmann::ordered_json;

namespace {

struct Example : Settings {
  int64_t batch_size = 4;
  double learning_rate = 2e-4;
  std::string condition = "level,pattern";
  std::string precision = "float32";
  bool resume = false;
  std::vector<std::string> columns = {"a", "b"};
  std::vector<int64_t> widths = {512, 256};
  std::string out = "run";
  void visit(SettingsVisitor& v) override {
    v.visit(number("batch_size", "slices per step", 1, 4096), batch_size);
    v.visit(number("learning_rate", "of Adam", 0), learning_rate);
    v.visit(text("condition", "columns, comma between them"), condition);
    v.visit(choice("precision", "arithmetic", {"float32", "bfloat16"}), precision);
    v.visit(flag("resume", "go on"), resume);
    v.visit(text("columns", "names"), columns);
    v.visit(number("widths", "channels", 1, 1024), widths);
    v.visit(required(positional(text("out", "folder to write"))), out);
  }
};

std::string from_json_refusal(const char* json) {
  Example example;
  const std::string text =
      refusal([&] { settings_from_json(example, ordered_json::parse(json), "here"); });
  EXPECT_EQ(settings_to_json(example),
            [] {
              Example plain;
              return settings_to_json(plain);
            }())
      << "a refused set of values changed the settings: " << json;
  return text;
}

Example from_recipe(const std::string& toml) {
  TemporaryFolder folder;
  Example example;
  settings_from_recipe(example, put_bytes(folder / "r.toml", toml));
  return example;
}

}  // namespace

TEST(Settings, ToJsonKeepsOrderAndTypes) {
  Example example;
  EXPECT_EQ(
      settings_to_json(example).dump(),
      R"({"batch_size":4,"learning_rate":0.0002,"condition":"level,pattern","precision":"float32",)"
      R"("resume":false,"columns":["a","b"],"widths":[512,256],"out":"run"})");
}

TEST(Settings, JsonRoundTrip) {
  Example example, back;
  example.batch_size = 9;
  example.learning_rate = 1.0 / 3;
  example.condition = "\"quoted\" \xC3\xA9";
  example.precision = "bfloat16";
  example.resume = true;
  example.columns = {};
  example.widths = {1, 1024};
  settings_from_json(back, ordered_json::parse(settings_to_json(example).dump()), "x");
  EXPECT_EQ(settings_to_json(back), settings_to_json(example));
  settings_from_json(back, ordered_json::parse(R"({"batch_size": 7.0, "learning_rate": 1})"), "x");
  EXPECT_EQ(back.batch_size, 7);
  EXPECT_EQ(back.learning_rate, 1);
  EXPECT_TRUE(back.resume);  // what is not named stays
}

TEST(Settings, RefusesAndSetsNothing) {
  EXPECT_EQ(from_json_refusal(R"({"batch_size": 8, "bach_size": 8})"),
            "here: no setting is named 'bach_size'; did you mean 'batch_size'?");
  EXPECT_EQ(
      from_json_refusal(R"({"momentum": 0.9})"),
      "here: no setting is named 'momentum'; there are: batch_size, learning_rate, condition, "
      "precision, resume, columns, widths, out");
  EXPECT_EQ(from_json_refusal(R"({"learning_rate": 1, "batch_size": "8"})"),
            "here: batch_size has the wrong type; expected a whole number, found \"8\"");
  EXPECT_EQ(from_json_refusal(R"({"batch_size": 0})"),
            "here: batch_size is out of range; expected 1 to 4096, found 0");
  EXPECT_EQ(from_json_refusal(R"({"learning_rate": -1})"),
            "here: learning_rate is out of range; expected at least 0, found -1");
  EXPECT_EQ(from_json_refusal(R"({"precision": "float23"})"),
            "here: precision cannot be 'float23'; expected one of float32, bfloat16; did you mean "
            "'float32'?");
  EXPECT_EQ(from_json_refusal(R"({"widths": [64, 2000]})"),
            "here: widths is out of range; expected 1 to 1024, found 2000");
  for (const char* json :
       {R"({"batch_size": 7.5})", R"({"batch_size": 18446744073709551615})",
        R"({"batch_size": null})", R"({"learning_rate": "x"})", R"({"resume": 1})",
        R"({"condition": 1})", R"({"columns": "a"})", R"({"columns": ["a", 1]})",
        R"({"widths": [1.5]})", R"({"precision": ""})"})
    EXPECT_NE(from_json_refusal(json), "") << json;
  EXPECT_EQ(from_json_refusal("[1]"), "here: expected names and values, found [1]");
}

TEST(Settings, CheckAsTheyStand) {
  Example example;
  EXPECT_NO_THROW(check_settings(example, "flags"));
  example.learning_rate = std::nan("");
  EXPECT_REFUSED(check_settings(example, "flags"), "flags: learning_rate is out of range");
  example = Example();
  example.precision = "half";
  EXPECT_REFUSED(check_settings(example, "flags"), "precision cannot be 'half'");
  example = Example();
  example.out = "";
  EXPECT_REFUSED(check_settings(example, "flags"), "flags: out is not given (folder to write)");
}

TEST(Recipe, ReadsFlatToml) {
  const Example example = from_recipe(
      "\xEF\xBB\xBF# Werner 2022\r\n"
      "batch_size = 1_000   # slices\r\n"
      "learning_rate = 2e-4\n"
      "\n"
      "condition = \"a#b, \\\"c\\\" = \\\\d\"\n"
      "precision = 'bfloat16'\n"
      "resume = true\n"
      "columns = [\"x\" , 'y,z',\n  # a comment\n  \"\" , ]\n"
      "widths=[ 8,16 , +32]");
  EXPECT_EQ(example.batch_size, 1000);
  EXPECT_EQ(example.learning_rate, 2e-4);
  EXPECT_EQ(example.condition, "a#b, \"c\" = \\d");
  EXPECT_EQ(example.precision, "bfloat16");
  EXPECT_TRUE(example.resume);
  EXPECT_EQ(example.columns, (std::vector<std::string>{"x", "y,z", ""}));
  EXPECT_EQ(example.widths, (std::vector<int64_t>{8, 16, 32}));
  EXPECT_EQ(from_recipe("").batch_size, 4);
  for (const auto& [word, value] : std::vector<std::pair<const char*, double>>{
           {"1", 1}, {"0", 0}, {"+0.5", 0.5}, {"1e3", 1000}, {"1_0.2_5E-1_0", 10.25e-10}})
    EXPECT_EQ(from_recipe(std::string("learning_rate = ") + word).learning_rate, value) << word;
}

TEST(Recipe, RefusesWithTheLine) {
  const auto says = [](const std::string& toml, const std::string& part) {
    const std::string text = refusal([&] { from_recipe(toml); });
    EXPECT_NE(text.find("r.toml: " + part), std::string::npos) << toml << "\n" << text;
  };
  says("\nbatch_size = 4\n[training]\n", "line 3: a [section]; a recipe is flat");
  says("a.b = 1", "line 1: 'a.' is a dotted name");
  says("batch_size", "line 1: expected '=' after 'batch_size'");
  says("batch_size =\nresume = true", "line 1: 'batch_size' has no value that can be read");
  says("batch_size = 4\nbatch_size = 8", "line 2: 'batch_size' is set twice");
  says("batch_size = 4 5", "line 1: text after the value of 'batch_size'");
  says("batch_size = 0x10", "line 1: 'batch_size' has no value that can be read");
  says("batch_size = 99999999999999999999", "line 1: the number of 'batch_size' is too large");
  says("learning_rate = 1e999", "line 1: the number of 'learning_rate' is too large");
  for (const char* word : {"1__0", "_1", "1_", "01", "-", "1.", ".5", "1e", "1e+", "1.5.2", "1-2",
                           "2024-05-01", "0b1"})
    says("learning_rate = " + std::string(word), "line 1: 'learning_rate' has no value");
  says("learning_rate = nan", "line 1: 'learning_rate' has no value");
  says("condition = level,pattern",
       "line 1: 'condition' has no value that can be read; expected \"text\"");
  says("condition = \"abc\nresume = true", "line 1: the quote of 'condition' is not closed");
  says("condition = \"\"\"abc", "line 1: 'condition' has a text of several lines");
  says("condition = \"a\\qb\"", "line 1: 'condition' has an unknown \\ sequence");
  says("widths = [1, 2\nresume = true", "line 2: expected ',' or ']' in the list of 'widths'");
  says("widths = [", "line 1: 'widths' has no value");
  says("widths = [[1]]", "line 1: 'widths' has no value");
  says("= 4", "line 1: expected a setting's name, found '= 4'");
  says(";old comment", "line 1: expected a setting's name");
  says("bach_size = 4", "no setting is named 'bach_size'; did you mean 'batch_size'?");
  says("batch_size = \"4\"", "batch_size has the wrong type; expected a whole number, found \"4\"");
  says(std::string("a\0b", 3), "holds NUL bytes");
  Example example;
  EXPECT_REFUSED(settings_from_recipe(example, "/nowhere/x.toml"),
                 "/nowhere/x.toml: cannot be opened");
}
