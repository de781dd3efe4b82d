/** Assembles `src/arrow/copy-kernel.wat` into `src/arrow/copy-kernel-wasm.ts`; to be run after each change of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import openWabt from 'wabt';

/** What `copy-kernel-wasm.ts` has to be, by what `copy-kernel.wat` says. */
export async function assembled(): Promise<string> {
  const wabt = await openWabt();
  const text = readFileSync(watPath, 'utf8');
  const module = wabt.parseWat(watPath, text, { threads: true, simd: true, bulk_memory: true });
  try {
    const code = Buffer.from(module.toBinary({}).buffer).toString('base64');
    const lines = code.match(/.{1,110}/g)!.map((line) => `  '${line}'`);
    return `/** \`copy-kernel.wat\` in binary form, base64. Made by \`npm run assemble\`. */\nexport const copyKernelWasm: string =\n${lines.join(' +\n')};\n`;
  } finally {
    module.destroy();
  }
}

const watPath = 'src/arrow/copy-kernel.wat';
/** The file that {@link assembled} is the text of. */
export const kernelPath = 'src/arrow/copy-kernel-wasm.ts';

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(kernelPath, await assembled());
