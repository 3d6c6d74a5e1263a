// SPDX-License-Identifier: Apache-2.0
// The plots as static SVG: what is seen without JavaScript, and on paper. Colours are the page's
// CSS variables, so they follow its theme.
#pragma once
#include "report/html.h"
#include "report/plots.h"

namespace scintigen {

Html svg_plot(const GroupPlot& plot);
Html svg_plot(const IntervalPlot& plot);
Html svg_plot(const CumulativePlot& plot);
Html svg_plot(const CurvePlot& plot);

}  // namespace scintigen
