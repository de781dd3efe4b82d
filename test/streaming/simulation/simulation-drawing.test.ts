import { describe, expect, it } from 'vitest';
import { simulateStream } from '../../../src/streaming/simulation/simulate-stream.js';
import {
  simulationFacts,
  simulationHtml,
  simulationSvg,
} from '../../../src/streaming/simulation/simulation-drawing.js';

describe('the drawing of a simulated run', () => {
  const small = simulateStream({
    streams: [{ alike: { count: 6, samples: 20, rawBytes: 2e6, zipBytes: 1e6 } }],
    nodes: 2,
    batchSize: 6,
    batchMs: 100,
    bandwidthBytesPerSecond: 4e6,
    cacheLimit: '5.8mb',
    shuffle: true,
    partitions: 4,
    shuffleBlockSize: 60,
    epochs: 2,
  });

  it('is an SVG document as it was', async () => {
    await expect(simulationSvg(small)).toMatchFileSnapshot('goldens/simulation.svg');
  });

  it('stands in a page of its own beside the figures, titles escaped', () => {
    const page = simulationHtml(small, 'a <b> & c');
    expect(page).toContain('<h1>a &lt;b&gt; &amp; c</h1>');
    expect(page).toContain(simulationSvg(small));
    for (const [name, value] of simulationFacts(small)) expect(page).toContain(`<td>${name}</td><td>${value}</td>`);
    expect(page).not.toMatch(/src=|href=|<script|url\(/);
  });

  it('stays small and whole for a long run on many nodes, and draws one that has nothing to fetch', () => {
    const long = simulateStream({
      streams: [{ alike: { count: 300, samples: 400, rawBytes: 1e6 } }],
      nodes: 12,
      batchSize: 4,
      batchMs: 10,
      bandwidthBytesPerSecond: 1e6,
      shuffle: true,
    });
    const svg = simulationSvg(long);
    expect(svg.length).toBeLessThan(60_000);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const empty = simulateStream({
      streams: [{ alike: { count: 1, samples: 1, rawBytes: 0 } }],
      batchSize: 1,
      batchMs: 1,
      bandwidthBytesPerSecond: 1,
    });
    expect(simulationSvg(empty)).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('is well-formed: every tag is closed by its own', () => {
    const open: string[] = [];
    for (const [, close, name, self] of simulationSvg(small).matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
      if (close === '/') expect(open.pop()).toBe(name);
      else if (self !== '/') open.push(name!);
    }
    expect(open).toEqual([]);
  });
});
