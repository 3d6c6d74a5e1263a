// SPDX-License-Identifier: Apache-2.0
// Differences with their intervals against the margin, cumulative shares, and curves of shares with their bands.
import type { Layout, Trace } from 'plotly.js-cartesian-dist-min';
import { seeThrough, type Colours } from './colours';
import type { CumulativePlot, CurvePlot, IntervalPlot } from './plot_data';
import { figure, lines, plain } from './plot_text';

export function intervalFigure(plot: IntervalPlot, colours: Colours, width: number): { data: Trace[]; layout: Layout } {
  const data: Trace[] = [];
  let reach = plot.margin * 1.25;
  plot.rows.forEach((row, i) => {
    const colour = colours.sets[row.colour % colours.sets.length];
    for (const value of [row.estimate, row.low, row.high]) reach = Math.max(reach, Math.abs(value ?? 0) * 1.05);
    const known = row.low !== null && row.high !== null;
    const text = `${plain(row.set)}, ${plain(row.condition)}<br>` +
      (row.estimate === null ? 'no difference known' : `difference ${figure(row.estimate)} SD`) +
      (known ? `<br>90 % interval ${figure(row.low!)} to ${figure(row.high!)}` : '') + `<br>${plain(row.agreement)}`;
    if (known)
      data.push({
        type: 'scatter', mode: 'lines', x: [row.low, row.high], y: [i, i], line: { color: colour, width: 2.2 },
        hoverinfo: 'skip', showlegend: false,
      });
    data.push({
      type: 'scatter', mode: 'markers', x: [row.estimate], y: [i], text: [text], hoverinfo: 'text', showlegend: false,
      marker: {
        symbol: 'diamond', size: 10, color: row.agreement === 'equivalent' ? colour : colours.paper,
        line: { color: colour, width: 2 },
      },
    });
  });
  const first = plot.rows.map((row, i) => i === 0 || plot.rows[i - 1].condition !== row.condition);
  return {
    data,
    layout: {
      height: Math.max(220, 84 + 30 * plot.rows.length),
      margin: { l: 122, r: 78, t: 16, b: 62 },
      shapes: [
        {
          type: 'rect', xref: 'x', yref: 'paper', x0: -plot.margin, x1: plot.margin, y0: 0, y1: 1, layer: 'below',
          fillcolor: colours.shade, line: { width: 0 },
        },
        { type: 'line', xref: 'x', yref: 'paper', x0: 0, x1: 0, y0: 0, y1: 1, line: { color: colours.muted, width: 1 } },
      ],
      annotations: plot.rows.map((row, i) => ({
        xref: 'paper', x: 1, y: i, text: plain(row.agreement), showarrow: false, xanchor: 'left', xshift: 8,
        font: { size: 11, color: colours.muted },
      })),
      xaxis: {
        title: { text: lines(plot.axis, (width - 200) / 7, 3), standoff: 8 }, gridcolor: colours.rule, zeroline: false, range: [-reach, reach],
      },
      yaxis: {
        tickfont: { size: 11 }, tickvals: plot.rows.map((_, i) => i).filter((i) => first[i]),
        ticktext: plot.rows.filter((_, i) => first[i]).map((row) => lines(row.condition, 17, 2)),
        range: [plot.rows.length - 0.4, -0.6], showgrid: false, zeroline: false, ticks: '', fixedrange: true,
      },
    },
  };
}

export function cumulativeFigure(plot: CumulativePlot, colours: Colours, width: number): { data: Trace[]; layout: Layout } {
  const data = plot.series.map((series) => ({
    type: 'scatter', mode: 'lines', name: plain(series.name), showlegend: true,
    x: series.values, y: series.values.map((_, i) => (i + 1) / series.values.length),
    text: series.values.map((value, i) => `${plain(series.name)}<br>${Math.round((100 * (i + 1)) / series.values.length)} %` +
      ` of slices up to ${figure(value)}`),
    hoverinfo: 'text',
    line: { color: colours.sets[series.colour % colours.sets.length], width: 2, shape: 'hv' },
  }));
  return {
    data,
    layout: {
      height: 350,
      margin: { l: 60, r: 16, t: 24, b: 64 },
      shapes: [{
        type: 'line', xref: 'x', yref: 'paper', x0: plot.threshold, x1: plot.threshold, y0: 0, y1: 1,
        line: { color: colours.ink, width: 1.2, dash: 'dash' },
      }],
      annotations: [{
        x: plot.threshold, xref: 'x', y: 1, yref: 'paper', text: 'threshold', showarrow: false, xanchor: 'left',
        yanchor: 'bottom', font: { size: 11, color: colours.muted },
      }],
      xaxis: { title: { text: lines(plot.axis, (width - 76) / 7, 3), standoff: 8 }, gridcolor: colours.rule, zeroline: false, rangemode: 'tozero' },
      yaxis: { title: { text: 'Share of slices' }, gridcolor: colours.rule, zeroline: false, range: [0, 1.03], tickformat: '.0%' },
    },
  };
}

export function curveFigure(plot: CurvePlot, colours: Colours, width: number): { data: Trace[]; layout: Layout } {
  const data: Trace[] = [];
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  for (const series of plot.series) {
    const colour = colours.sets[series.colour % colours.sets.length];
    const known = series.low.length > 0;
    if (known)
      data.push({
        type: 'scatter', mode: 'lines', x: [...series.x, ...[...series.x].reverse()], y: [...series.high, ...[...series.low].reverse()],
        fill: 'toself', fillcolor: seeThrough(colour, 0.1), line: { width: 0 }, hoverinfo: 'skip', showlegend: false,
      });
    data.push({
      type: 'scatter', mode: series.dashed ? 'lines' : 'lines+markers', name: plain(series.name), showlegend: true, x: series.x, y: series.share,
      marker: { color: colour, size: 4 },
      text: series.x.map((x, i) => `${plain(series.name)}<br>${plain(plot.axis)}: ${figure(x)}<br>${percent(series.share[i])}` +
        (known ? ` (${percent(series.low[i])} to ${percent(series.high[i])})` : '')),
      hoverinfo: 'text',
      line: { color: colour, width: series.dashed ? 1.4 : 2, dash: series.dashed ? 'dash' : 'solid' },
    });
  }
  return {
    data,
    layout: {
      height: 370,
      margin: { l: 60, r: 16, t: 24, b: 64 },
      xaxis: {
        title: { text: lines(plot.axis, (width - 76) / 7, 3), standoff: 8 }, gridcolor: colours.rule, zeroline: false,
        range: [0, 1.02 * (Math.max(...plot.series.flatMap((series) => series.x)) || 1)],
      },
      yaxis: { title: { text: plain(plot.share) }, gridcolor: colours.rule, zeroline: false, range: [0, 1.03], tickformat: '.0%' },
    },
  };
}
