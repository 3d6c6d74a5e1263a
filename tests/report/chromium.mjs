// SPDX-License-Identifier: Apache-2.0
// Headless Chromium by its DevTools protocol over a pipe: no package, no port, no socket.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Chromium {
  #next = 1;
  #waiting = new Map();
  #listeners = [];

  constructor(program) {
    this.folder = mkdtempSync(join(tmpdir(), 'scintigen-chromium-'));
    this.process = spawn(
      program,
      ['--headless=new', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage',
        '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions',
        '--force-color-profile=srgb', `--user-data-dir=${this.folder}`, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: this.folder } },
    );
    const [, , , to, from] = this.process.stdio;
    this.to = to;
    let parts = [];
    from.on('data', (bytes) => {
      let begin = 0;
      for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, begin)) {
        parts.push(bytes.subarray(begin, end));
        this.#take(JSON.parse(Buffer.concat(parts).toString()));
        parts = [];
        begin = end + 1;
      }
      if (begin < bytes.length) parts.push(bytes.subarray(begin));
    });
    this.process.on('exit', () => this.#waiting.forEach(({ refuse }) => refuse(new Error('Chromium ended'))));
  }

  #take(message) {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const { keep, refuse } = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error) refuse(new Error(message.error.message));
    else keep(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    return new Promise((keep, refuse) => {
      this.#waiting.set(id, { keep, refuse });
      this.to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  on(listener) {
    this.#listeners.push(listener);
  }

  /** A page; `problems` gathers console errors, exceptions and requests for anything but itself. */
  async page({ width, height, dark = false, scripts = true }) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await page.send(`${domain}.enable`);
    await page.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
    await page.send('Emulation.setFocusEmulationEnabled', { enabled: true });
    if (!scripts) await page.send('Emulation.setScriptExecutionDisabled', { value: true });
    return page;
  }

  close() {
    this.process.kill();
    return new Promise((done) => {
      this.process.on('exit', () => {
        rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
        done();
      });
    });
  }
}

class Page {
  problems = [];
  requests = [];
  #loaded;

  constructor(chromium, session, target) {
    Object.assign(this, { chromium, session, target });
    chromium.on(({ method, params, sessionId }) => {
      if (sessionId !== session) return;
      if (method === 'Page.loadEventFired') this.#loaded?.();
      if (method === 'Runtime.exceptionThrown')
        this.problems.push(`exception: ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`);
      if (method === 'Runtime.consoleAPICalled' && ['error', 'warning', 'assert'].includes(params.type))
        this.problems.push(`console: ${params.args.map((one) => one.value ?? one.description).join(' ')}`);
      if (method === 'Log.entryAdded' && ['error', 'warning'].includes(params.entry.level))
        this.problems.push(`log: ${params.entry.text}`);
      if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
    });
  }

  send(method, params) {
    return this.chromium.send(method, params, this.session);
  }

  async open(address) {
    const loaded = new Promise((done) => (this.#loaded = done));
    await this.send('Page.navigate', { url: address });
    await loaded;
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async until(expression, what, limit_ms = 30_000) {
    for (const begun = Date.now(); Date.now() - begun < limit_ms; ) {
      if (await this.evaluate(expression)) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`waited ${limit_ms / 1000} s for ${what}`);
  }

  async key(key, code = key, modifiers = 0) {
    const codes = { Tab: 9, Enter: 13, Escape: 27, ArrowRight: 39, ArrowUp: 38 };
    const common = { key, code, modifiers, windowsVirtualKeyCode: codes[key], ...(key === 'Enter' ? { text: '\r' } : {}) };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...common });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...common });
  }

  close() {
    return this.chromium.send('Target.closeTarget', { targetId: this.target });
  }
}
