// SPDX-License-Identifier: Apache-2.0
// browser.mjs CHROMIUM REPORT HOSTILE: opens both reports as a reader does and holds them to what they promise.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Chromium } from './chromium.mjs';

const [, , program, report, hostile] = process.argv;
const chromium = new Chromium(program);
let wrong = 0;

function expect(ok, what, found = '') {
  if (ok) return;
  ++wrong;
  console.error(`wrong: ${what}${found === '' ? '' : `: ${JSON.stringify(found).slice(0, 400)}`}`);
}

const drawn = "document.documentElement.dataset.plots === 'drawn'";

function expectQuiet(page, where) {
  expect(page.problems.length === 0, `${where}: the console is not silent`, page.problems);
  const asked = page.requests.filter((address) => !/^(data:|blob:)/.test(address));
  expect(asked.length === 1 && asked[0].startsWith('file:'), `${where}: requests other than the file itself`, asked);
}

/** Every plot outside of closed parts is Plotly's, with its marks; nothing is wider than the window. */
async function expectDrawn(page, where, width) {
  const plots = await page.evaluate(`[...document.querySelectorAll('figure.plot')].filter((f) => !f.closest('details:not([open])')).map((f) => ({
    id: f.id, marks: f.querySelectorAll('.interactive .point, .interactive path.js-line, .interactive path.box').length,
    static: getComputedStyle(f.querySelector('.static-plot')).display, buttons: f.querySelectorAll('.toolbar button').length }))`);
  expect(plots.length >= 5, `${where}: too few plots`, plots.length);
  for (const plot of plots)
    expect(plot.marks > 0 && plot.static === 'none' && plot.buttons >= 4, `${where}: plot ${plot.id} is not drawn`, plot);
  const wide = await page.evaluate('document.documentElement.scrollWidth');
  expect(wide <= width, `${where}: the page scrolls sideways`, wide);
}

async function layouts(address, name) {
  for (const [width, height] of [[1280, 900], [390, 844]]) {
    for (const dark of [false, true]) {
      const where = `${name}, ${width} px, ${dark ? 'dark' : 'light'}`;
      const page = await chromium.page({ width, height, dark });
      await page.open(address);
      await page.until(drawn, 'the plots');
      await expectDrawn(page, where, width);
      const paper = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect((paper === 'rgb(255, 255, 255)') === !dark, `${where}: background`, paper);
      expectQuiet(page, where);
      await page.close();
    }
  }
}

async function controls(address) {
  const page = await chromium.page({ width: 1280, height: 900 });
  await page.open(address);
  await page.until(drawn, 'the plots');
  // Saved files: catch the blob where the browser would write it.
  await page.evaluate(`window.saved = []; URL.createObjectURL = (blob) => { blob.text().then((text) => saved.push(text)); return 'blob:kept'; };
    HTMLAnchorElement.prototype.click = function () { saved.name = this.download; }; 0`);
  for (const id of await page.evaluate("[...document.querySelectorAll('figure.plot.drawn')].map((f) => f.id)")) {
    await page.evaluate(`saved.length = 0; [...document.getElementById('${id}').querySelectorAll('button')].find((b) => b.textContent === 'Save as SVG').click()`);
    await page.until('saved.length === 1', `the SVG of ${id}`);
    const saved = await page.evaluate(`(() => { const parsed = new DOMParser().parseFromString(saved[0], 'image/svg+xml');
      return { root: parsed.documentElement.localName, paths: parsed.querySelectorAll('path').length, error: !!parsed.querySelector('parsererror'), name: saved.name,
      foreign: parsed.querySelectorAll('script, foreignObject, image').length }; })()`);
    expect(saved.root === 'svg' && saved.paths > 3 && !saved.error && !saved.foreign && saved.name === `${id}.svg`, `saved SVG of ${id}`, saved);
  }
  // Hovering a point names its slice.
  await page.evaluate("document.documentElement.style.scrollBehavior = 'auto'; document.querySelector('#quantity-1').scrollIntoView()");
  const [x, y] = await page.evaluate("(() => { const r = document.querySelectorAll('#quantity-1 .point')[4].getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()");
  for (const off of [6, 0]) await page.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x: x + off, y });
  await page.until("document.querySelector('#quantity-1 .hovertext') !== null", 'the hover text');
  const hovered = await page.evaluate("document.querySelector('#quantity-1 .hovertext').textContent");
  expect(hovered.includes('sub-0') && hovered.includes('real'), 'the hover text does not name the slice', hovered);
  // Zoom, layers, reset.
  const range = () => page.evaluate("[...document.querySelector('#quantity-1 .interactive').layout.yaxis.range]");
  const press = (name) => page.evaluate(`[...document.querySelectorAll('#quantity-1 .toolbar button')].find((b) => (b.getAttribute('aria-label') ?? b.textContent) === '${name}').click()`);
  const points = () => page.evaluate("document.querySelectorAll('#quantity-1 .scatterlayer .point').length");
  const before = await range();
  const all = await points();
  await press('Zoom in');
  await page.until("Math.abs(document.querySelector('#quantity-1 .interactive').layout.yaxis.range[0] - " + before[0] + ') > 1e-6', 'the zoom');
  await press('Points');
  await page.until("document.querySelectorAll('#quantity-1 .scatterlayer .point').length === 0", 'points to go');
  await press('Reset');
  await page.until(`document.querySelectorAll('#quantity-1 .scatterlayer .point').length === ${all}`, 'points to come back');
  expect(Math.abs((await range())[0] - before[0]) < 1e-9, 'reset does not bring the range back', await range());
  // Theme: page and plots follow.
  const ink = "getComputedStyle(document.querySelector('#quantity-1 .ytick text')).fill";
  const light = await page.evaluate(ink);
  await page.evaluate("document.querySelector('button.theme').click()");
  await page.until(`getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)' && ${ink} !== '${light}'`, 'the dark page');
  // A closed part draws when it opens.
  await page.evaluate("document.querySelector('#further details').open = true");
  await page.until("document.querySelector('#further figure.plot.drawn .interactive .point') !== null", 'the plots of an opened part');
  // Copy.
  await page.evaluate("document.querySelector('.paste button').click()");
  await page.until("document.querySelector('.paste [role=status]').textContent !== ''", 'the answer of Copy');
  expectQuiet(page, 'controls');
  await page.close();
}

async function keyboard(address) {
  const page = await chromium.page({ width: 1280, height: 900 });
  await page.open(address);
  await page.until(drawn, 'the plots');
  await page.send('Page.bringToFront');
  const expected = await page.evaluate(`[...document.querySelectorAll('a, button, summary, [tabindex="0"]')].filter((e) => {
    e.dataset.stop = ''; return !e.closest('dialog') && !(e.tagName === 'SUMMARY' ? e.parentElement.parentElement : e).closest('details:not([open])'); }).map((e, i) => (e.dataset.stop = i)).length`);
  const seen = new Set();
  for (let i = 0; i < expected + 20; ++i) {
    await page.key('Tab');
    const stop = await page.evaluate("document.activeElement?.dataset?.stop ?? ''");
    if (stop === '' && seen.size >= expected) break;
    if (stop !== '') seen.add(stop);
  }
  expect(seen.size === expected, 'Tab does not reach every control', { reached: seen.size, expected });
  const skip = await page.evaluate("(() => { const s = document.querySelector('.skip'); s.focus(); return s.getBoundingClientRect().left >= 0; })()");
  expect(skip, 'the skip link does not show itself');
  await page.evaluate("document.querySelector('#slices .pictures img').focus()");
  await page.key('ArrowRight');
  await page.key('Enter');
  await page.until("document.querySelector('dialog.large-image').open", 'the large image');
  const large = await page.evaluate("({ caption: document.querySelector('dialog p').textContent, same: document.querySelector('dialog img').src === document.querySelectorAll('#slices .pictures img')[1].src })");
  expect(large.same && large.caption.includes('slice'), 'the large image is another', large.caption);
  await page.key('Escape');
  await page.until("!document.querySelector('dialog.large-image').open", 'the dialog to close');
  expectQuiet(page, 'keyboard');
  await page.close();
}

async function injection(address) {
  const page = await chromium.page({ width: 1280, height: 900 });
  await page.open(address);
  await page.until(drawn, 'the plots');
  await page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))");
  await page.until("document.querySelectorAll('figure.plot:not(.drawn)').length === 0", 'every plot');
  const found = await page.evaluate(`({
    title: document.title,
    elements: [...document.querySelectorAll('body *')].filter((e) => [...e.attributes].some((a) => a.name.startsWith('on'))).length,
    images: [...document.images].filter((i) => !i.src.startsWith('data:image/png') && i.getAttribute('src') !== null).length,
    links: [...document.querySelectorAll('a')].filter((a) => !(a.getAttribute('href') ?? '#').startsWith('#')).length,
    svgLinks: [...document.querySelectorAll('svg a')].length,
    scripts: document.scripts.length,
    comments: (() => { const w = document.createTreeWalker(document, NodeFilter.SHOW_COMMENT); let n = 0; while (w.nextNode()) ++n; return n; })(),
    text: document.querySelector('h1').textContent,
    plot: document.querySelector('.interactive .xtick text')?.textContent ?? '' })`);
  expect(!found.title.startsWith('injected') && found.elements === 0 && found.images === 0 && found.links === 0 && found.svgLinks === 0 &&
    found.scripts === 2 && found.comments === 0, 'markup of a name became elements', found);
  expect(found.text.includes('<img src=x onerror') && found.text.includes('</script><script>'), 'the title does not show its text', found.text);
  expect(found.plot.includes('<img') && found.plot.includes('<a') && found.plot.includes('&lt;b&gt;'), "a plot's label does not show its text", found.plot);
  expectQuiet(page, 'injection');
  await page.close();
}

async function withoutScripts(address) {
  const page = await chromium.page({ width: 1280, height: 900, scripts: false });
  await page.open(address);
  const seen = await page.evaluate(`[...document.querySelectorAll('figure.plot')].filter((f) => !f.closest('details:not([open])')).map((f) => ({
    height: f.querySelector('.static-plot').getBoundingClientRect().height, paths: f.querySelectorAll('.static-plot path').length }))`);
  expect(seen.length >= 5 && seen.every((plot) => plot.height > 100 && plot.paths > 1), 'static plots without scripts', seen);
  expect((await page.evaluate("document.querySelectorAll('button').length")) === 0, 'buttons that do nothing without scripts');
  expectQuiet(page, 'without scripts');
  await page.close();
}

async function print(address) {
  const page = await chromium.page({ width: 1280, height: 900, dark: true });
  await page.open(address);
  await page.until(drawn, 'the plots');
  await page.send('Emulation.setEmulatedMedia', { media: 'print', features: [{ name: 'prefers-color-scheme', value: 'dark' }] });
  const seen = await page.evaluate(`({ static: [...document.querySelectorAll('.drawn .static-plot')].filter((s) => s.getBoundingClientRect().height < 50).length,
    interactive: [...document.querySelectorAll('.interactive')].filter((s) => s.getBoundingClientRect().height > 0).length, paper: getComputedStyle(document.body).backgroundColor })`);
  expect(seen.static === 0 && seen.interactive === 0 && seen.paper === 'rgb(255, 255, 255)', 'print', seen);
  const { data } = await page.send('Page.printToPDF', {});
  expect(Buffer.from(data, 'base64').subarray(0, 5).toString() === '%PDF-', 'no PDF');
  await page.close();
}

try {
  const address = pathToFileURL(report).href;
  const hostileAddress = pathToFileURL(hostile).href;
  expect(readFileSync(report).length < 10e6, 'larger than 10 MB');
  await layouts(address, 'report');
  await layouts(hostileAddress, 'hostile names');
  await controls(address);
  await keyboard(address);
  await injection(hostileAddress);
  await withoutScripts(address);
  await print(address);
} catch (error) {
  ++wrong;
  console.error(`wrong: ${error.stack}`);
} finally {
  await chromium.close();
}
process.exit(wrong ? 1 : 0);
