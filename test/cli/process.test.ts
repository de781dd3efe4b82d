import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endOf, screensOf, spiral, startSpiral } from './spiral-process.js';

const cwd = mkdtempSync(join(tmpdir(), 'spiral-process-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
const rows = 60_000;

beforeAll(async () => {
  const text = Array.from({ length: rows }, (_, id) => `{"id":${id},"text":"row ${id} of many"}\n`).join('');
  writeFileSync(join(cwd, 'rows.jsonl'), text);
  const lines = [['tables', 'import', 'demo/rows', 'rows.jsonl', '--key', 'id', '--create-project']];
  expect(await screensOf(lines, { cwd })).toEqual([`table\tdemo/default.rows\nfiles\t1\nrows\t${rows}\n`]);
});

/** Ctrl-C, once. */
function interrupt(child: ChildProcess, timer: NodeJS.Timeout): void {
  clearInterval(timer);
  child.kill('SIGINT');
}

describe('the process', () => {
  it('ends quietly when the reader of its answer goes away', async () => {
    const child = startSpiral(['tables', 'scan', 'demo/rows'], { cwd });
    const ended = endOf(child);
    child.stdout!.once('data', () => child.stdout!.destroy());
    const { code, out, err } = await ended;
    expect([code, err]).toEqual([0, '']);
    expect(out.length).toBeLessThan(rows * 10);
  });

  it('gives every row, however slowly they are taken', async () => {
    const child = startSpiral(['tables', 'scan', 'demo/rows', '--json'], { cwd });
    let bytes = 0;
    child.stdout!.on('data', (piece: Buffer) => {
      bytes += piece.length;
      child.stdout!.pause();
      setTimeout(() => child.stdout!.resume(), 1);
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, bytes]).toEqual([0, readFileSync(join(cwd, 'rows.jsonl')).length]);
  });

  it('ends with 130 at Ctrl-C and keeps the state of what was read', async () => {
    const argv = ['loader', 'run', 'demo/rows', '--epochs', '100000', '--state', 'state.json', '--batch-size', '100'];
    const child = startSpiral(argv, { cwd });
    const ended = endOf(child);
    // The state is there behind the first epoch.
    const running = setInterval(() => {
      if (existsSync(join(cwd, 'state.json'))) interrupt(child, running);
    }, 10);
    const { code, out, err } = await ended;
    expect([code, out, err]).toEqual([130, '', '']);
    const { samplesYielded, epoch } = JSON.parse(readFileSync(join(cwd, 'state.json'), 'utf8')) as {
      samplesYielded: number;
      epoch: number;
    };
    expect(epoch).toBeGreaterThan(0);
    expect(samplesYielded).toBeLessThan(rows);
    const on = await spiral(['loader', 'run', 'demo/rows', '--state', 'state.json', '--json', '--steps', '3'], { cwd });
    expect(JSON.parse(on.out)).toMatchObject({ batches: 3, rows: expect.any(Number), verdict: expect.any(String) });
  });

  it('leaves no row and no file of an import that Ctrl-C ends', async () => {
    const place = join(cwd, '.spiral', 'tables');
    const files = (): string[] =>
      readdirSync(place, { recursive: true })
        .filter((path) => /\.\w+$/.test(String(path)))
        .map(String);
    const before = files();
    writeFileSync(
      join(cwd, 'more.jsonl'),
      readFileSync(join(cwd, 'rows.jsonl'), 'utf8').replaceAll('"id":', '"id":1').repeat(1),
    );
    const child = startSpiral(['tables', 'import', 'demo/rows', 'more.jsonl'], { cwd });
    const ended = endOf(child);
    const written = setInterval(() => {
      if (files().length > before.length) interrupt(child, written);
    }, 1);
    const { code } = await ended;
    clearInterval(written);
    // A fast machine may be done before the signal comes: then all rows are there, else none.
    const { out } = await spiral(['tables', 'history', 'demo/rows', '--json'], { cwd });
    const commits = (JSON.parse(out) as unknown[]).length;
    expect([code, commits]).toEqual(code === 0 ? [0, 3] : [130, 2]);
    if (code === 130) expect(files()).toEqual(before);
  });

  it('finds a read-only warehouse, and says so with code 1', async () => {
    writeFileSync(join(cwd, 'file'), '');
    const { code, out } = await spiral(['doctor', '--json', '--warehouse', join(cwd, 'file/below')], { cwd });
    const findings = JSON.parse(out) as { check: string; state: string }[];
    expect(code).toBe(1);
    expect(findings.find(({ state }) => state === 'failed')?.check).toMatch(/store|write and read/);
    const healthy = await spiral(['doctor', '--json'], { cwd });
    expect(healthy.code).toBe(0);
    expect(existsSync(join(cwd, '.spiral', 'diagnosis')) && readdirSync(join(cwd, '.spiral', 'diagnosis'))).toEqual([]);
  });

  it('measures a loader', async () => {
    const argv = ['loader', 'bench', 'demo/rows', '--for', '300ms', '--step', '1ms', '--warmup', '1', '--json'];
    const { code, out } = await spiral(argv, { cwd });
    expect(code).toBe(0);
    const found = JSON.parse(out) as { samples: number; batches: number; waitShare: number; verdict: string };
    expect(found.samples).toBe(found.batches * 32);
    expect(found.batches).toBeGreaterThan(0);
    expect(found.verdict.length).toBeGreaterThan(10);
  });
});
