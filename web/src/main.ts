// SPDX-License-Identifier: Apache-2.0
// The report is complete without this script (src/report/ writes it). What it adds: plots that can be hovered, zoomed
// and saved, slices that open large, a button for the theme, one that copies the methods.
import { openableImages } from './gallery';
import { InteractivePlot } from './interactive_plot';
import { readPlotData } from './plot_data';

function themeButton(changed: () => void): void {
  const root = document.documentElement;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'theme';
  const prefers = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : prefers.matches);
  const name = () => {
    button.textContent = isDark() ? 'Light page' : 'Dark page';
  };
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    name();
    changed();
  });
  prefers.addEventListener('change', () => {
    name();
    changed();
  });
  name();
  document.querySelector('header')?.append(button);
}

async function copy(from: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(from.textContent ?? '');
    return true;
  } catch {
    // A page opened as a file may not have the clipboard: select the text and ask the old way.
    getSelection()?.selectAllChildren(from);
    return document.execCommand('copy');
  }
}

function copyButton(): void {
  const methods = document.getElementById('methods-text');
  if (!methods) return;
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', 'Copy the methods paragraph');
  const said = document.createElement('span');
  said.setAttribute('role', 'status');
  button.addEventListener('click', async () => {
    said.textContent = (await copy(methods)) ? 'Copied.' : 'Select the text and copy it.';
  });
  methods.after(button, said);
}

/** One after the other, so that the page answers meanwhile; those in a closed part when it opens. */
async function drawPlots(plots: Map<HTMLElement, InteractivePlot>): Promise<void> {
  for (const [figure, plot] of plots) {
    const hidden = figure.closest<HTMLDetailsElement>('details:not([open])');
    if (hidden) {
      hidden.addEventListener('toggle', () => void plot.draw(), { once: true });
      continue;
    }
    await plot.draw();
    await new Promise((resolve) => setTimeout(resolve));
  }
  document.documentElement.dataset.plots = 'drawn';
}

const data = readPlotData();
const plots = new Map<HTMLElement, InteractivePlot>();
for (const plot of data.plots) {
  const figure = document.getElementById(plot.id);
  const box = figure?.querySelector<HTMLElement>('.plot-box');
  if (figure && box) plots.set(figure, new InteractivePlot(box, plot, data));
}
// What scrolls sideways must be reachable by keyboard.
for (const box of document.querySelectorAll<HTMLElement>('.scroll')) box.tabIndex = 0;
themeButton(() => plots.forEach((plot) => void plot.redraw()));
copyButton();
openableImages();
void drawPlots(plots);
