// SPDX-License-Identifier: Apache-2.0
// The colours of the page's style sheet, for Plotly: as they are now, or the light ones (saved files).

export interface Colours {
  paper: string;
  ink: string;
  muted: string;
  rule: string;
  shade: string;
  sets: string[];
}

export function coloursOf(light: boolean): Colours {
  let place: HTMLElement = document.documentElement;
  if (light) {
    place = document.createElement('div');
    place.className = 'light-colours';
    document.body.append(place);
  }
  const style = getComputedStyle(place);
  const get = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const colours = {
    paper: get('paper'),
    ink: get('ink'),
    muted: get('muted'),
    rule: get('rule'),
    shade: get('shade'),
    sets: [0, 1, 2, 3, 4, 5, 6, 7].map((set) => get(`set-${set}`)),
  };
  if (light) place.remove();
  return colours;
}

/** "#rrggbb" with opacity. */
export function seeThrough(colour: string, opacity: number): string {
  const part = (place: number) => parseInt(colour.slice(place, place + 2), 16);
  return `rgba(${part(1)},${part(3)},${part(5)},${opacity})`;
}
