// SPDX-License-Identifier: Apache-2.0
// What is used of Plotly, no more.
declare module 'plotly.js-cartesian-dist-min' {
  export type Trace = Record<string, unknown>;
  export type Layout = Record<string, any>;
  export interface Plot extends HTMLElement {
    layout: Layout;
    data: Trace[];
  }
  interface Plotly {
    newPlot(place: HTMLElement, data: Trace[], layout: Layout, config: Record<string, unknown>): Promise<Plot>;
    react(place: HTMLElement, data: Trace[], layout: Layout, config: Record<string, unknown>): Promise<Plot>;
    relayout(place: HTMLElement, change: Layout): Promise<Plot>;
    toImage(
      figure: { data: Trace[]; layout: Layout; config: Record<string, unknown> },
      options: { format: 'svg'; width: number; height: number },
    ): Promise<string>;
  }
  const plotly: Plotly;
  export default plotly;
}
