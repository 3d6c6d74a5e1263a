// SPDX-License-Identifier: Apache-2.0
#include "report/page_head.h"

#include "report/page_assets.h"

namespace scintigen {

void write_page_head(Html& html, const std::string& title, std::string_view script,
                     const std::string& images, std::string_view more_style) {
  html.markup("<!DOCTYPE html>\n");
  html.open("html", {{"lang", "en"}}).open("head").single("meta", {{"charset", "utf-8"}});
  html.single("meta", {{"http-equiv", "Content-Security-Policy"},
                       {"content", content_security_policy(script, images)}});
  html.single("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  html.single("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
  html.single("meta", {{"name", "referrer"}, {"content", "no-referrer"}});
  html.element("title", title).open("style");
  html.markup(page_style()).markup(more_style).close("style").close("head");
}

}  // namespace scintigen
