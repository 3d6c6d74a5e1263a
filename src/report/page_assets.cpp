// SPDX-License-Identifier: Apache-2.0
#include "report/page_assets.h"

// The files' names come from CMakeLists.txt; the assembler copies their bytes.
#define SCINTIGEN_EMBED(symbol, file)     \
  __asm__(                                \
      ".pushsection .rodata\n"            \
      ".global " #symbol                  \
      "\n"                                \
      ".global " #symbol "_end\n" #symbol \
      ":\n"                               \
      ".incbin \"" file "\"\n" #symbol    \
      "_end:\n"                           \
      ".byte 0\n"                         \
      ".popsection\n");                   \
  extern "C" const char symbol[], symbol##_end[]

SCINTIGEN_EMBED(scintigen_report_style, SCINTIGEN_REPORT_STYLE);
#ifdef SCINTIGEN_REPORT_SCRIPT
SCINTIGEN_EMBED(scintigen_report_script, SCINTIGEN_REPORT_SCRIPT);
#endif

namespace scintigen {

std::string_view page_style() {
  return {scintigen_report_style,
          static_cast<size_t>(scintigen_report_style_end - scintigen_report_style)};
}

std::string_view page_script() {
#ifdef SCINTIGEN_REPORT_SCRIPT
  return {scintigen_report_script,
          static_cast<size_t>(scintigen_report_script_end - scintigen_report_script)};
#else
  return {};
#endif
}

}  // namespace scintigen
