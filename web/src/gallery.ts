// SPDX-License-Identifier: Apache-2.0
// A slice large in a dialog. Each row of pictures is one stop of the Tab key; arrow keys walk along it.

function step(row: HTMLImageElement[], from: HTMLImageElement, key: string): HTMLImageElement | undefined {
  const place = row.indexOf(from);
  if (key === 'ArrowRight') return row[place + 1];
  if (key === 'ArrowLeft') return row[place - 1];
  if (key === 'Home') return row[0];
  if (key === 'End') return row[row.length - 1];
  return undefined;
}

export function openableImages(): void {
  const dialog = document.createElement('dialog');
  dialog.className = 'large-image';
  const frame = document.createElement('div');
  frame.className = 'frame';
  const right = document.createElement('span');
  right.textContent = 'R';
  const left = document.createElement('span');
  left.textContent = 'L';
  const image = document.createElement('img');
  frame.append(right, image, left);
  const caption = document.createElement('p');
  const close = document.createElement('button');
  close.type = 'button';
  close.textContent = 'Close';
  close.addEventListener('click', () => dialog.close());
  dialog.append(frame, caption, close);
  dialog.setAttribute('aria-label', 'Slice, enlarged');
  document.body.append(dialog);

  let row: HTMLImageElement[] = [];
  let shown: HTMLImageElement | undefined;
  const show = (from: HTMLImageElement) => {
    shown = from;
    image.src = from.src;
    image.alt = from.alt;
    caption.textContent = from.alt;
    if (!dialog.open) dialog.showModal();
  };
  dialog.addEventListener('keydown', (event) => {
    const next = shown && step(row, shown, event.key);
    if (!next) return;
    event.preventDefault();
    show(next);
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => shown?.focus());

  for (const group of document.querySelectorAll<HTMLElement>('.pictures')) {
    const images = [...group.querySelectorAll('img')];
    const focus = (on: HTMLImageElement) => {
      for (const one of images) one.tabIndex = one === on ? 0 : -1;
    };
    images.forEach((one, place) => {
      one.tabIndex = place === 0 ? 0 : -1;
      one.setAttribute('role', 'button');
      one.setAttribute('aria-haspopup', 'dialog');
      one.addEventListener('focus', () => focus(one));
      one.addEventListener('click', () => {
        row = images;
        show(one);
      });
      one.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          row = images;
          show(one);
          return;
        }
        const next = step(images, one, event.key);
        if (!next) return;
        event.preventDefault();
        next.focus();
      });
    });
  }
}
