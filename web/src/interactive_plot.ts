// SPDX-License-Identifier: Apache-2.0
// One figure of the page: Plotly in the place of the static plot, and its buttons.
import Plotly, { type Layout, type Trace } from 'plotly.js-cartesian-dist-min';
import { coloursOf, type Colours } from './colours';
import { groupFigure, type Layers } from './group_figure';
import { cumulativeFigure, curveFigure, intervalFigure } from './line_figures';
import type { AnyPlot, PlotData } from './plot_data';

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif';

// A finger on a plot scrolls the page.
const touched = matchMedia('(pointer: coarse)').matches;
const CONFIG = { displayModeBar: false, responsive: true, displaylogo: false, doubleClick: 'reset', showTips: false };

export class InteractivePlot {
  private readonly place = document.createElement('div');
  private readonly layers: Layers = { violins: true, boxes: true, points: true };
  private readonly axis: 'x' | 'y';
  private home: [number, number] = [0, 1];
  private drawn = false;

  constructor(private readonly box: HTMLElement, private readonly plot: AnyPlot, private readonly all: PlotData) {
    this.axis = plot.kind === 'groups' ? 'y' : 'x';
    this.place.className = 'interactive';
    if (plot.kind === 'groups')
      this.place.style.minWidth = `${Math.min(2400, 80 + plot.conditions.length * (14 + 22 * plot.sets.length))}px`;
    else this.place.style.minWidth = '300px';
  }

  async draw(): Promise<void> {
    if (this.drawn) return;
    this.drawn = true;
    this.box.append(this.place);
    const figure = this.figure(coloursOf(false));
    this.box.closest('figure')?.classList.add('drawn');
    const plot = await Plotly.newPlot(this.place, figure.data, figure.layout, CONFIG);
    this.home = [...(plot.layout[`${this.axis}axis`].range as [number, number])];
    this.box.after(this.toolbar());
    this.box.addEventListener('keydown', (event) => this.pan(event));
  }

  /** After a change of theme or of what is shown; the zoom stays. */
  async redraw(): Promise<void> {
    if (!this.drawn) return;
    const now = [...this.range()];
    const figure = this.figure(coloursOf(false));
    figure.layout[`${this.axis}axis`].range = now;
    await Plotly.react(this.place, figure.data, figure.layout, CONFIG);
  }

  private range(): [number, number] {
    return (this.place as unknown as { layout: Layout }).layout[`${this.axis}axis`].range;
  }

  private figure(colours: Colours): { data: Trace[]; layout: Layout } {
    const { plot } = this;
    const width = this.place.clientWidth || 640;
    const figure =
      plot.kind === 'groups' ? groupFigure(plot, colours, this.all.rows, this.layers, width)
      : plot.kind === 'intervals' ? intervalFigure(plot, colours, width)
      : plot.kind === 'curves' ? curveFigure(plot, colours, width)
      : cumulativeFigure(plot, colours, width);
    Object.assign(figure.layout, {
      font: { family: FONT, size: 12, color: colours.ink }, showlegend: false, hovermode: 'closest', autosize: true,
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', dragmode: touched ? false : 'zoom',
      hoverlabel: { bgcolor: colours.paper, bordercolor: colours.rule, font: { color: colours.ink, size: 12 }, align: 'left' },
    });
    return figure;
  }

  private async zoom(factor: number): Promise<void> {
    const [low, high] = this.range();
    const middle = (low + high) / 2;
    const half = ((high - low) / 2) * factor;
    await Plotly.relayout(this.place, { [`${this.axis}axis.range`]: [middle - half, middle + half] });
  }

  private async reset(): Promise<void> {
    Object.assign(this.layers, { violins: true, boxes: true, points: true });
    const figure = this.figure(coloursOf(false));
    figure.layout[`${this.axis}axis`].range = [...this.home];
    await Plotly.react(this.place, figure.data, figure.layout, CONFIG);
    this.box.parentElement?.querySelectorAll('[aria-pressed]').forEach((one) => one.setAttribute('aria-pressed', 'true'));
  }

  /** Arrow keys move what zooming cut off. */
  private pan(event: KeyboardEvent): void {
    const keys = this.axis === 'y' ? ['ArrowDown', 'ArrowUp'] : ['ArrowLeft', 'ArrowRight'];
    const way = keys.indexOf(event.key);
    const [low, high] = this.range();
    const zoomed = Math.abs(high - low) < 0.999 * Math.abs(this.home[1] - this.home[0]);
    if (way < 0 || !zoomed || event.target !== this.box) return;
    event.preventDefault();
    const step = (high - low) * (way === 0 ? -0.1 : 0.1);
    void Plotly.relayout(this.place, { [`${this.axis}axis.range`]: [low + step, high + step] });
  }

  /** What is on the screen, with a legend, in the colours of paper. */
  async svg(): Promise<string> {
    const colours = coloursOf(true);
    const figure = this.figure(colours);
    figure.layout[`${this.axis}axis`].range = [...this.range()];
    Object.assign(figure.layout, {
      paper_bgcolor: '#ffffff', plot_bgcolor: '#ffffff', showlegend: this.plot.kind !== 'intervals',
      legend: { orientation: 'h', x: 0, y: 1.02, yanchor: 'bottom', itemsizing: 'constant' },
    });
    figure.layout.margin.t += 30;
    const width = Math.max(480, this.place.clientWidth);
    const height = (figure.layout.height as number) + 30;
    const address = await Plotly.toImage({ ...figure, config: CONFIG }, { format: 'svg', width, height });
    return decodeURIComponent(address.slice(address.indexOf(',') + 1));
  }

  private async save(): Promise<void> {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([await this.svg()], { type: 'image/svg+xml' }));
    link.download = `${this.plot.id}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  private toolbar(): HTMLElement {
    const bar = document.createElement('div');
    bar.className = 'toolbar';
    bar.setAttribute('role', 'group');
    bar.setAttribute('aria-label', `Controls: ${this.plot.name}`);
    const button = (text: string, act: () => Promise<void>, label = text) => {
      const made = document.createElement('button');
      made.type = 'button';
      made.textContent = text;
      if (label !== text) made.setAttribute('aria-label', label);
      made.addEventListener('click', () => void act());
      bar.append(made);
      return made;
    };
    if (this.plot.kind === 'groups') {
      for (const [text, layer] of [['Violins', 'violins'], ['Boxes', 'boxes'], ['Points', 'points']] as const) {
        const toggle = button(text, async () => {
          this.layers[layer] = !this.layers[layer];
          toggle.setAttribute('aria-pressed', String(this.layers[layer]));
          await this.redraw();
        });
        toggle.setAttribute('aria-pressed', 'true');
      }
    }
    button('+', () => this.zoom(0.7), 'Zoom in');
    button('−', () => this.zoom(1 / 0.7), 'Zoom out');
    button('Reset', () => this.reset());
    button('Save as SVG', () => this.save());
    return bar;
  }
}
