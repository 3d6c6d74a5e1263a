// SPDX-License-Identifier: Apache-2.0
// The plots' data as src/report/plot_json.cpp writes it.

/** Values of one set in one condition. */
export interface Group {
  values: (number | null)[];
  offsets: (number | null)[]; // of the points, in half widths
  rows: number[]; // of PlotData.rows; empty: not known
  at: number[]; // violin: where,
  density: number[]; // and how wide, 1 at most
  box?: [number, number, number, number, number]; // whisker, quartile, median, quartile, whisker
}

export interface GroupPlot {
  kind: 'groups';
  id: string;
  name: string;
  axis: string;
  conditions: string[];
  sets: string[];
  groups: Group[][]; // [condition][set]
  brackets: { condition: number; set: number; mark: string; p: number }[];
}

export interface IntervalPlot {
  kind: 'intervals';
  id: string;
  name: string;
  axis: string;
  margin: number;
  rows: {
    condition: string;
    set: string;
    agreement: string;
    colour: number;
    estimate: number | null;
    low: number | null;
    high: number | null;
  }[];
}

export interface CumulativePlot {
  kind: 'cumulative';
  id: string;
  name: string;
  axis: string;
  threshold: number;
  series: { name: string; colour: number; values: number[] }[];
}

export interface CurvePlot {
  kind: 'curves';
  id: string;
  name: string;
  axis: string;
  share: string;
  series: { name: string; colour: number; dashed: boolean; x: number[]; share: number[]; low: number[]; high: number[] }[];
}

export type AnyPlot = GroupPlot | IntervalPlot | CumulativePlot | CurvePlot;

export interface PlotData {
  sets: string[];
  rows: string[]; // participant of each row of the evaluation's table
  plots: AnyPlot[];
}

export function readPlotData(): PlotData {
  const text = document.getElementById('plot-data')?.textContent;
  return text ? (JSON.parse(text) as PlotData) : { sets: [], rows: [], plots: [] };
}
