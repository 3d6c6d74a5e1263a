// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/temporary_folder.h"
#include "report/html.h"
#include "report/made_up_evaluation.h"
#include "report/page_assets.h"
#include "report/plots.h"
#include "report/report.h"
#include "report/svg_plot.h"

namespace scintigen {
namespace {

std::string page_of(const MadeUp& made) {
  return report_page(made.input, made.evaluation, made.extras);
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t place = text.find(part); place != std::string::npos;
       place = text.find(part, place + part.size()))
    ++count;
  return count;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The page without the style sheet and the script, which are this project's own.
std::string own_part(std::string page) {
  for (const std::string_view asset : {page_style(), page_script()}) {
    const size_t place = asset.empty() ? std::string::npos : page.find(asset);
    if (place != std::string::npos) page.erase(place, asset.size());
  }
  return page;
}

std::string refusal(const MadeUp& made) {
  try {
    page_of(made);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Html, EscapesWhatCouldBecomeMarkup) {
  EXPECT_EQ(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escaped("Müller – 脑"), "Müller – 脑");
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped(std::string("a\0b\x1b", 4)), "a" + replaced + "b" + replaced);
  EXPECT_EQ(escaped("a\xff<"), "a" + replaced + "&lt;");
  EXPECT_EQ(escaped("\xC0\xBC"), replaced + replaced);                 // "<" in too many bytes
  EXPECT_EQ(escaped("\xE2\x80\xAEgnp.exe"), replaced + "gnp.exe");     // turns the direction
  EXPECT_EQ(escaped("\xED\xA0\x80"), replaced + replaced + replaced);  // a surrogate
  EXPECT_EQ(escaped("\xF0\x9F\xA7"), replaced + replaced + replaced);  // cut off
}

TEST(Html, Base64) {  // RFC 4648, section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Html, NumbersForReaders) {
  EXPECT_EQ(figure_text(0.12345), "0.123");
  EXPECT_EQ(figure_text(-1234.5), "−1234");
  EXPECT_EQ(figure_text(0), "0");
  EXPECT_EQ(figure_text(1e-9), "1.00e-09");
  EXPECT_EQ(figure_text(NAN), "–");
  EXPECT_EQ(p_text(0.0004), "< 0.001");
  EXPECT_EQ(p_text(0.0123), "0.012");
  EXPECT_EQ(p_text(0.456), "0.46");
}

TEST(Plots, BoxAndViolin) {
  std::vector<double> values;
  for (int i = 1; i <= 99; ++i) values.push_back(i);
  values.push_back(1000);
  const PlottedGroup group = plotted_group(values, {});
  EXPECT_DOUBLE_EQ(group.box->lower_quartile, 25.75);  // R: quantile(c(1:99, 1000))
  EXPECT_DOUBLE_EQ(group.box->median, 50.5);
  EXPECT_DOUBLE_EQ(group.box->upper_quartile, 75.25);
  EXPECT_EQ(group.box->low, 1);
  EXPECT_EQ(group.box->high, 99);
  EXPECT_DOUBLE_EQ(*std::max_element(group.density.begin(), group.density.end()), 1);
  for (double offset : group.offsets) EXPECT_LE(std::abs(offset), 1);
  EXPECT_TRUE(plotted_group({1, 1, 1}, {}).at.empty());
  const PlottedGroup share = plotted_group({0, 1, 1, 1}, {});
  EXPECT_TRUE(share.at.empty());
  EXPECT_EQ(share.box->median, 0.75);
  EXPECT_EQ(share.box->high, 0.75);
  EXPECT_EQ(group.at.front(), 1);
  EXPECT_EQ(group.at.back(), 1000);
  EXPECT_TRUE(plotted_group({}, {}).values.empty());
  EXPECT_EQ(plotted_group({5}, {}).box->median, 5);
}

TEST(Plots, CurvesWithBandsAndWithout) {
  CurvePlot plot{"sensitivity", "Sensitivity", "Clusters", "Patients", {}};
  plot.series.push_back({"a", 0, false, {1, 2}, {0.5, 1}, {0.25, 0.75}, {0.75, 1}});
  plot.series.push_back({"a, at random", 0, true, {1, 2}, {0.1, 0.2}, {}, {}});
  const auto json = plot_json(plot);
  EXPECT_EQ(json["kind"], "curves");
  EXPECT_EQ(json["series"][0]["high"], nlohmann::ordered_json({0.75, 1.0}));
  EXPECT_EQ(json["series"][1]["low"], nlohmann::ordered_json::array());
  const auto svg = svg_plot(plot).str();
  // x from 0 to 2 over 60 to 624 px, shares from 0 to 1 over 320 to 40 px.
  EXPECT_NE(svg.find("d=\"M342 110L624 40L624 110L342 250Z\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("d=\"M342 180L624 40\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("curve dashed"), std::string::npos);
  EXPECT_EQ(svg.find("band", svg.find("band") + 4), std::string::npos) << "one band";
}

TEST(Plots, CurvesOfOnePointAndOfNone) {
  CurvePlot plot{"free-response", "Free response", "False clusters", "Patients", {}};
  plot.series.push_back({"<b>one</b>", 0, false, {0}, {0.5}, {0.25}, {0.75}});
  plot.series.push_back({"none", 1, false, {}, {}, {}, {}});
  const auto svg = svg_plot(plot).str();
  EXPECT_EQ(svg.find(">-1"), std::string::npos) << "no false clusters are 0, not -1 to 1";
  EXPECT_NE(svg.find("class=\"points set-0\" d=\"M60 180h0\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("class=\"interval set-0\" d=\"M60 250V110\""), std::string::npos) << svg;
  EXPECT_EQ(svg.find("set-1"), std::string::npos);
  EXPECT_EQ(svg.find("<b>"), std::string::npos);
}

TEST(Plots, MarksConditionsAndTicks) {
  EXPECT_EQ(significance_mark(0.05), "ns");
  EXPECT_EQ(significance_mark(0.049), "*");
  EXPECT_EQ(significance_mark(0.0099), "**");
  EXPECT_EQ(significance_mark(0.0009), "***");
  EXPECT_EQ(short_condition("high_cortex, normal"), "high cortex, normal");
  EXPECT_EQ(short_condition("all"), "all");
  EXPECT_EQ(axis_ticks(0.13, 0.47, 4),
            (std::vector<double>{0.1, 0.2, 0.30000000000000004, 0.4, 0.5}));
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 0}, {5, 5}, {-1e300, 1e300}, {NAN, 1}, {1, 1 + 1e-15}, {0, 1e-300}})
    EXPECT_LE(axis_ticks(low, high).size(), 100u) << low << " " << high;
}

TEST(Report, HasEverySection) {
  const std::string page = page_of(made_up_evaluation());
  for (const char* id : {"verdict", "warnings", "counts", "slices", "quantities", "further", "maps",
                         "distances", "audit", "interpolation", "tests", "settings", "methods"}) {
    EXPECT_EQ(count_of(page, std::string("<section id=\"") + id + "\""), 1u) << id;
    EXPECT_EQ(count_of(page, std::string("href=\"#") + id + "\""), 1u) << id;
  }
  EXPECT_TRUE(has(page, "<html lang=\"en\">"));
  EXPECT_TRUE(has(page, "Research, not diagnosis"));
  EXPECT_TRUE(has(page, "variety is a little low"));
  EXPECT_TRUE(has(page, "Welch&#39;s t test of patients&#39; means, Holm-adjusted"));
  EXPECT_TRUE(has(page, "Real people (training)"));
  EXPECT_TRUE(has(page, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"));
  EXPECT_GE(count_of(page, "class=\"static-plot\""), 9u);  // 4 quantities x 2, an audit
  EXPECT_EQ(count_of(own_part(page), "<img "), count_of(own_part(page), " alt=\""));
}

TEST(Report, AsksForNothing) {
  MadeUp made = made_up_evaluation();
  made.extras.title = "http://example.org/";  // a text, not an address
  const std::string page = own_part(page_of(made));
  const std::regex address("(src|href|action|data|srcset|xlink:href)=\"([^\"]*)\"");
  size_t count = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), address), end; it != end; ++it, ++count) {
    const std::string to = (*it)[2];
    EXPECT_TRUE(to.rfind("data:image/png;base64,", 0) == 0 || to[0] == '#') << to.substr(0, 80);
  }
  EXPECT_GT(count, 20u);
  EXPECT_FALSE(has(page, "@import") || has(page, "url("));
  EXPECT_FALSE(has(std::string(page_style()), "@import") || has(std::string(page_style()), "url("));
  EXPECT_TRUE(has(page,
                  "default-src &#39;none&#39;; img-src data: blob:; style-src "
                  "&#39;unsafe-inline&#39;; script-src "));
}

TEST(Report, PolicyAllowsItsOwnScriptAlone) {
  const std::string page = page_of(made_up_evaluation());
  const size_t begin = page.rfind("<script>"), end = page.rfind("</script>");
  if (page_script().empty()) {
    EXPECT_EQ(begin, std::string::npos);
    EXPECT_TRUE(has(page, "script-src &#39;none&#39;"));
    EXPECT_TRUE(has(page, "no interactive plots"));
    return;
  }
  const std::string script = page.substr(begin + 8, end - begin - 8);
  EXPECT_EQ(script, page_script());
  EXPECT_FALSE(has(script, "</script") || has(script, "<!--") || has(script, "\r"));
  const std::string hex = sha256_of_bytes(script);
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  EXPECT_TRUE(has(page, "script-src &#39;sha256-" + base64(bytes) + "&#39;;"));
  EXPECT_EQ(count_of(page, "<script"), 2u + count_of(script, "<script"));
}

TEST(Report, NoTextBecomesMarkup) {
  MadeUpSize small;
  small.slices = 3, small.people = 3;
  const std::string clean = own_part(page_of(made_up_evaluation(small)));
  for (const std::string hostile : {"<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>",
                                    "</script><script>alert(1)</script>", "' onmouseover='alert(1)",
                                    "<!--", "]]>", "</title></style>", "\xff\xfe<b>"}) {
    MadeUp made = made_up_evaluation(small);
    put_everywhere(made, hostile);
    const std::string page = own_part(page_of(made));
    for (const char* part :
         {"<img", "<svg", "<script", "<b>", "<!--", "</style", "</title", "<section"})
      EXPECT_EQ(count_of(page, part), count_of(clean, part)) << hostile << " as " << part;
    EXPECT_FALSE(
        std::regex_search(page, std::regex("<[a-z][^>\"]*(\"[^\"]*\"[^>\"]*)* on[a-z]+=")));
    EXPECT_GT(count_of(page, escaped(hostile)), 50u) << hostile;
  }
}

TEST(Report, EmptyParts) {
  MadeUpSize one;
  one.conditions = {"all"};
  MadeUp made = made_up_evaluation(one);
  Evaluation& e = made.evaluation;
  e.audits.clear(), e.features.clear(), e.maps.clear(), e.warnings.clear(), e.findings.clear();
  e.methods.clear();
  made.extras = {};
  made.input.training = {};
  for (auto& quantity : e.quantities)
    for (auto& here : quantity.conditions) {
      here.comparison.reset();
      for (auto& difference : here.sets) {
        difference.difference.reset(), difference.interval.reset(), difference.p.reset();
        difference.adjusted_p.reset();
        difference.agreement = Agreement::unknown;
        difference.why = "one patient alone";
      }
    }
  std::string page = page_of(made);
  for (const char* id :
       {"warnings", "maps", "distances", "audit", "interpolation", "tests", "settings", "methods"})
    EXPECT_FALSE(has(page, std::string("<section id=\"") + id + "\"")) << id;
  EXPECT_TRUE(has(page, "one patient alone"));
  EXPECT_TRUE(has(page, ">unknown<"));
  e.quantities.clear();
  page = page_of(made);
  EXPECT_FALSE(has(page, "<section id=\"quantities\""));
}

TEST(Report, AConditionWithoutRealSlicesAndAnAuditThatWasNotDone) {
  MadeUp made = made_up_evaluation();
  Evaluation& e = made.evaluation;
  for (auto& row : e.slices.rows)
    if (row[0] == "real" && row[2] == e.conditions[1]) row[2] = e.conditions[0];
  e.counts[0][1] = 0;
  e.maps[1].mean[0] = e.maps[1].deviation[0] = torch::Tensor();
  e.maps[1].deviation_ratio[1].reset();
  for (auto& quantity : e.quantities) quantity.conditions[1].values[0].clear();
  e.audits[0].audit.reset();
  e.audits[0].why = "no held-out slices";
  const std::string page = page_of(made);
  EXPECT_TRUE(has(page, "no slices of this condition"));
  EXPECT_TRUE(has(page, "real: fewer than 2 slices"));
  EXPECT_TRUE(has(page, "no audit: no held-out slices"));
}

TEST(Report, TwelveConditionsAndFourSetsStaySmall) {
  MadeUpSize size;
  size.conditions.clear();
  for (int i = 0; i < 12; ++i) size.conditions.push_back("l" + std::to_string(i));
  size.sets = {"a", "b", "c", "d"};
  const std::string page = page_of(made_up_evaluation(size));
  EXPECT_LT(page.size(), 10'000'000u);
  EXPECT_TRUE(has(page, "class=\"plots\""));
}

TEST(Report, RefusesWhatDoesNotBelongTogether) {
  MadeUp made = made_up_evaluation();
  made.evaluation.sets.push_back("third");
  EXPECT_TRUE(has(refusal(made), "of 3 sets; expected 2"));
  made = made_up_evaluation();
  made.evaluation.sets[1] = "other";
  EXPECT_TRUE(has(refusal(made), "'other'; expected 'synthetic'"));
  made = made_up_evaluation();
  made.evaluation.slices.rows.pop_back();
  EXPECT_TRUE(has(refusal(made), "71 rows of set 'synthetic'; expected one for each of its 72"));
  made = made_up_evaluation();
  made.input.reference.slices = torch::Tensor();
  EXPECT_TRUE(has(refusal(made), "not [N,H,W]"));
}

TEST(Report, WritesWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const MadeUp made = made_up_evaluation();
  write_report(folder.path() / "new" / "report.html", made.input, made.evaluation, made.extras);
  EXPECT_GT(std::filesystem::file_size(folder.path() / "new" / "report.html"), 100'000u);
  write_file(folder.path() / "file", "x");
  try {
    write_report(folder.path() / "file" / "report.html", made.input, made.evaluation, made.extras);
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(has(error.what(), "file"));
  }
}

}  // namespace
}  // namespace scintigen
