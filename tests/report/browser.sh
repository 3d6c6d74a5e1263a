# SPDX-License-Identifier: Apache-2.0
# The report in headless Chromium: silent console, no request, plots, keyboard, print, hostile names (browser.mjs).
# $SCINTIGEN is tests/report/example_report.cpp here.
# shellcheck shell=bash
chromium=$(command -v chromium || command -v chromium-browser || true)
node=$(command -v node || command -v nodejs || true)
if [ -z "$chromium" ] || [ -z "$node" ]; then
  echo "skipped: chromium or node is not installed"
  exit 77
fi
works "$SCINTIGEN" report.html
if ! grep -q 'id="plot-data"' report.html; then
  echo "skipped: this build has no interactive plots (SCINTIGEN_WEB)"
  exit 77
fi
works "$SCINTIGEN" hostile.html hostile
works "$node" "$SCINTIGEN_SOURCE/tests/report/browser.mjs" "$chromium" "$PWD/report.html" "$PWD/hostile.html"
