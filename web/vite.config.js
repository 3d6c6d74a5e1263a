// SPDX-License-Identifier: Apache-2.0
// One classic script, without chunks: it stands in the page itself. Plotly's licence stands at its head.
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vite';

const licence = readFileSync('node_modules/plotly.js-cartesian-dist-min/LICENSE', 'utf8').trim();

export default defineConfig({
  logLevel: 'warn',
  publicDir: false,
  esbuild: { legalComments: 'inline' },
  build: {
    outDir: 'out',
    target: 'es2020',
    reportCompressedSize: false,
    lib: { entry: 'src/main.ts', formats: ['iife'], name: 'scintigenReport', fileName: () => 'report.js' },
    rollupOptions: { output: { banner: `/*! plotly.js, cartesian bundle\n${licence}\n*/` } },
  },
});
