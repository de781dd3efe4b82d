import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { CSVWriter } from '../../../src/streaming/writing/csv-writer.js';
import { JSONWriter } from '../../../src/streaming/writing/json-writer.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import type { SampleWriter } from '../../../src/streaming/writing/sample-writer.js';
import { TSVWriter } from '../../../src/streaming/writing/tsv-writer.js';
import type { WriterOptions } from '../../../src/streaming/writing/writer-settings.js';
import { XSVWriter, type XSVWriterOptions } from '../../../src/streaming/writing/xsv-writer.js';
import { mosaicFixtures } from '../../format/mosaic-fixtures.js';
import { samplesOf, type WrittenFixture, writtenFixtures } from '../fixture-samples.js';

const root = await mkdtemp(join(tmpdir(), 'spiral-mds-goldens-'));
afterAll(() => rm(root, { recursive: true }));

function writerOf(format: string, options: WriterOptions): SampleWriter {
  switch (format) {
    case 'json':
      return new JSONWriter(options);
    case 'csv':
      return new CSVWriter(options);
    case 'tsv':
      return new TSVWriter(options);
    case 'xsv':
      return new XSVWriter(options as XSVWriterOptions);
    default:
      return new MDSWriter(options);
  }
}

async function written(fixture: WrittenFixture): Promise<string> {
  const out = join(root, fixture.name.replaceAll('/', '-'));
  await using writer = writerOf(fixture.format, { out, columns: fixture.columns, ...fixture.options });
  for (const sample of await samplesOf(fixture)) await writer.write(sample);
  const { samples } = await writer.finish();
  expect(samples).toBe(fixture.samples.length);
  return out;
}

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

/** An index without the sizes and hashes of compressed files. */
function withoutZips(text: string): unknown {
  return JSON.parse(text, (key, value) => (key.startsWith('zip_') && value !== null ? value.basename : value));
}

describe.skipIf(mosaicFixtures === undefined)(
  'writers, beside MosaicML (skipped where SPIRAL_FIXTURES is not there)',
  () => {
    const fixtures = writtenFixtures();
    const isGzip = ({ options }: WrittenFixture): boolean => String(options['compression']).startsWith('gz');

    it.each(fixtures.filter((fixture) => !isGzip(fixture)).map((fixture) => [fixture.name, fixture] as const))(
      'write %s byte for byte',
      async (_, fixture) => {
        const out = await written(fixture);
        expect((await readdir(out)).filter((name) => name !== '.tmp').sort()).toEqual(
          Object.keys(fixture.files).sort(),
        );
        const shards = Object.keys(fixture.files).sort().reverse();
        for (const name of shards) {
          const expected = fixture.files[name]!.sha1;
          expect(`${name} ${sha1(await readFile(join(out, name)))}`).toBe(`${name} ${expected}`);
        }
      },
    );

    it.each(fixtures.filter(isGzip).map((fixture) => [fixture.name, fixture] as const))(
      'write %s with the same bytes in its gzip files, whose headers hold the time',
      async (_, fixture) => {
        const out = await written(fixture);
        expect((await readdir(out)).filter((name) => name !== '.tmp').sort()).toEqual(
          Object.keys(fixture.files).sort(),
        );
        for (const name of Object.keys(fixture.files)) {
          const [found, expected] = await Promise.all(
            [out, fixture.folder].map((folder) => readFile(join(folder, name))),
          );
          if (name === 'index.json') expect(withoutZips(String(found))).toEqual(withoutZips(String(expected)));
          else expect(gunzipSync(found!)).toEqual(gunzipSync(expected!));
        }
      },
    );
  },
);
