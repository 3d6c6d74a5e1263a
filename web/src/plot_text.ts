// SPDX-License-Identifier: Apache-2.0
// Plotly reads tags in texts (<b>, <a>, <br>). Texts of files must not be read so.

export function plain(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/g, ' ');
}

/** In lines of about `width` characters, at most `most` of them. */
export function lines(text: string, width: number, most = 4): string {
  const found: string[] = [''];
  for (const word of text.split(' ')) {
    const last = found[found.length - 1];
    if (last && last.length + 1 + word.length > width) found.push(word);
    else found[found.length - 1] = last ? `${last} ${word}` : word;
  }
  const kept = found.slice(0, most);
  if (found.length > most) kept[most - 1] += '…';
  return kept.map((line) => plain(line.length > width + 2 ? `${line.slice(0, width + 1)}…` : line)).join('<br>');
}

export function figure(value: number): string {
  return String(Number(value.toPrecision(4))).replace('-', '−');
}
