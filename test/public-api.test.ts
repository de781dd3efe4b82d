import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** The names behind a door, sorted; `door` is a path in `src`. */
async function namesOf(door: string): Promise<string[]> {
  const module = (await import(new URL(`../src/${door}`, import.meta.url).href)) as object;
  return Object.keys(module).sort();
}

const stands = (door: string): boolean => existsSync(new URL(`../src/${door}`, import.meta.url));

describe('the public doors', () => {
  it.runIf(stands('index.ts'))('spiral-loader exports these names and no other', async () => {
    expect(await namesOf('index.ts')).toMatchInlineSnapshot(`
      [
        "BatchReader",
        "CSVWriter",
        "Expr",
        "FileTable",
        "JSONWriter",
        "KeySpaceIndex",
        "MDSWriter",
        "Project",
        "Scan",
        "Shard",
        "Snapshot",
        "Spiral",
        "SpiralDataLoader",
        "SpiralError",
        "SpiralStream",
        "StreamingDataset",
        "TSVWriter",
        "Table",
        "Transaction",
        "World",
        "XSVWriter",
        "explainSettings",
        "inspectMds",
        "isSpiralError",
        "jsonCells",
        "measureMds",
        "mergeIndex",
        "se",
        "simulateStream",
        "simulationFacts",
        "simulationHtml",
        "simulationSvg",
        "skipSteps",
        "transformModule",
        "typeWords",
        "verifyMds",
        "whichRows",
      ]
    `);
  });

  it('spiral-loader/tfjs exports these names and no other', async () => {
    expect(await namesOf('adapters/tfjs/index.ts')).toMatchInlineSnapshot(`
      [
        "checkpointCallback",
        "loadCheckpoint",
        "loadTf",
        "pickBackend",
        "restoreCheckpoint",
        "saveCheckpoint",
        "toTensors",
        "toTfDataset",
      ]
    `);
  });

  it.runIf(stands('testing/index.ts'))('spiral-loader/testing exports these names and no other', async () => {
    expect(await namesOf('testing/index.ts')).toMatchInlineSnapshot(`
      [
        "checkpointLaws",
        "faultStore",
        "isCrash",
        "storeLaws",
      ]
    `);
  });
});
