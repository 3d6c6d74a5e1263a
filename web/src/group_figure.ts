// SPDX-License-Identifier: Apache-2.0
// Box, violin and points by condition and set. The shapes are the report's own, so that this shows what print shows.
import type { Layout, Trace } from 'plotly.js-cartesian-dist-min';
import { type Colours, seeThrough } from './colours';
import type { Group, GroupPlot } from './plot_data';
import { figure, lines, plain } from './plot_text';

export interface Layers {
  violins: boolean;
  boxes: boolean;
  points: boolean;
}

/** Condition c stands at c, its sets side by side within 0.84. */
function placeOf(plot: GroupPlot, condition: number, set: number): { x: number; half: number } {
  const pitch = 0.84 / plot.sets.length;
  return { x: condition + pitch * (set - (plot.sets.length - 1) / 2), half: pitch * 0.43 };
}

function outline(group: Group, x: number, half: number): { x: (number | null)[]; y: (number | null)[] } {
  const left = group.at.map((_, i) => x - half * group.density[i]);
  const right = group.at.map((_, i) => x + half * group.density[i]).reverse();
  return { x: [...left, ...right, left[0], null], y: [...group.at, ...[...group.at].reverse(), group.at[0], null] };
}

function violinTrace(plot: GroupPlot, set: number, colour: string): Trace {
  const x: (number | null)[] = [];
  const y: (number | null)[] = [];
  plot.groups.forEach((groups, condition) => {
    if (!groups[set].at.length) return;
    const place = placeOf(plot, condition, set);
    const shape = outline(groups[set], place.x, place.half);
    x.push(...shape.x);
    y.push(...shape.y);
  });
  return {
    type: 'scatter', mode: 'lines', x, y, fill: 'toself', fillcolor: seeThrough(colour, 0.16),
    line: { color: seeThrough(colour, 0.75), width: 1 }, hoverinfo: 'skip', showlegend: false,
  };
}

function boxTrace(plot: GroupPlot, set: number, colour: string): Trace {
  const known = plot.groups
    .map((groups, condition) => ({ box: groups[set].box, place: placeOf(plot, condition, set) }))
    .filter((one) => one.box);
  const part = (index: number) => known.map((one) => one.box![index]);
  return {
    type: 'box', x: known.map((one) => one.place.x), lowerfence: part(0), q1: part(1), median: part(2),
    q3: part(3), upperfence: part(4), width: placeOf(plot, 0, 0).half * 0.84, line: { color: colour, width: 1.5 },
    fillcolor: seeThrough(colour, 0.22), whiskerwidth: 0, hoverinfo: 'skip', showlegend: false,
  };
}

function pointTrace(plot: GroupPlot, set: number, colour: string, participants: string[]): Trace {
  const x: number[] = [];
  const y: number[] = [];
  const text: string[] = [];
  plot.groups.forEach((groups, condition) => {
    const group = groups[set];
    const place = placeOf(plot, condition, set);
    group.values.forEach((value, i) => {
      if (value === null) return;
      x.push(place.x + place.half * (group.offsets[i] ?? 0));
      y.push(value);
      const who = group.rows.length ? participants[group.rows[i]] : '';
      const name = who && who !== 'n/a' ? `${plain(who)}<br>` : '';
      text.push(`${name}${plain(plot.sets[set])}, ${plain(plot.conditions[condition])}<br>` +
        `${plain(plot.name)}: ${figure(value)}<br>value ${i + 1} of ${group.values.length}`);
    });
  });
  return {
    type: 'scatter', mode: 'markers', x, y, text, hoverinfo: 'text', name: plain(plot.sets[set]), showlegend: true,
    marker: { color: colour, size: 3.6, opacity: 0.5 },
  };
}

function range(plot: GroupPlot): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const groups of plot.groups) {
    for (const group of groups) {
      for (const value of [...group.values, ...group.at]) {
        if (value === null) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
  }
  return low <= high ? [low, high] : [0, 1];
}

export function groupFigure(
  plot: GroupPlot, colours: Colours, participants: string[], layers: Layers, width: number,
): { data: Trace[]; layout: Layout } {
  const data: Trace[] = [];
  plot.sets.forEach((_, set) => {
    const colour = colours.sets[set % colours.sets.length];
    if (layers.violins) data.push(violinTrace(plot, set, colour));
    if (layers.points) data.push(pointTrace(plot, set, colour, participants));
    if (layers.boxes) data.push(boxTrace(plot, set, colour));
  });
  const [low, high] = range(plot);
  const reach = high - low || 1;
  const shapes: Layout[] = [];
  const annotations: Layout[] = [];
  for (const bracket of plot.brackets) {
    const from = placeOf(plot, bracket.condition, 0).x;
    const to = placeOf(plot, bracket.condition, bracket.set).x;
    const y = high + reach * (0.05 + 0.075 * (bracket.set - 1));
    const foot = y - reach * 0.018;
    for (const [x0, y0, x1, y1] of [[from, foot, from, y], [from, y, to, y], [to, y, to, foot]])
      shapes.push({ type: 'line', x0, y0, x1, y1, line: { color: colours.muted, width: 1 } });
    annotations.push({
      x: (from + to) / 2, y, text: bracket.mark, showarrow: false, yanchor: 'bottom', yshift: bracket.mark === 'ns' ? -2 : -7,
      font: { size: bracket.mark === 'ns' ? 11 : 15, color: colours.ink },
    });
  }
  const sets = Math.max(1, plot.sets.length - 1);
  const pitch = (width - 76) / Math.max(1, plot.conditions.length);
  const size = pitch < 90 ? 10.5 : 12;
  const room = Math.max(8, Math.floor(pitch / size / 0.58));
  return {
    data,
    layout: {
      shapes, annotations, height: 400, margin: { l: 60, r: 12, t: 30, b: 62 },
      xaxis: {
        tickvals: plot.conditions.map((_, i) => i), ticktext: plot.conditions.map((name) => lines(name, room)),
        tickangle: 0, tickfont: { size }, range: [-0.55, plot.conditions.length - 0.45], showgrid: false, zeroline: false, ticks: '',
        fixedrange: true,
      },
      yaxis: {
        title: { text: lines(plot.axis, 44, 2), standoff: 10 }, gridcolor: colours.rule, zeroline: false,
        range: [low - reach * 0.04, high + reach * (plot.brackets.length ? 0.08 + 0.08 * sets : 0.04)],
      },
    },
  };
}
