// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "report/result_page.h"

namespace scintigen {
namespace {

ResultPage page_of(const std::string& text) {
  ResultPage page;
  page.kind = page.title = page.dateline = page.headline = text;
  page.findings = page.warnings = {text};
  page.sections = {{"part",
                    text,
                    {text},
                    {{"PNG", text, text}},
                    {{text, {text, "number"}, {{text, "1"}, {"row", text}}, {}}}}};
  page.settings = {{text, text}};
  return page;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(ResultPage, NoTextBecomesMarkup) {
  const std::string evil = "<script>alert('1')</script>\"&";
  const auto html = result_page(page_of(evil));
  EXPECT_EQ(count(html, "<script"), 0U);
  EXPECT_EQ(count(html, "alert(&#39;1&#39;)"), count(html, "&lt;script&gt;"));
  EXPECT_GE(count(html, "&lt;script&gt;"), 16U);
}

TEST(ResultPage, AsksForNothing) {
  const auto html = result_page(page_of("plain"));
  EXPECT_EQ(count(html, "default-src &#39;none&#39;"), 1U);
  EXPECT_EQ(count(html, "http://") + count(html, "https://"), 0U);
  EXPECT_EQ(count(html, "data:image/png;base64,UE5H"), 1U);
  EXPECT_EQ(count(html, "not for diagnosis"), 1U);
}

TEST(ResultPage, ARowOfAnotherLengthIsRefused) {
  auto page = page_of("plain");
  page.sections[0].tables[0].rows.push_back({"one"});
  EXPECT_REFUSED(result_page(page), "1 cells in a row of 2 columns");
}

}  // namespace
}  // namespace scintigen
