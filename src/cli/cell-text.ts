/** Escapes of characters that would end a cell. */
const plain: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** `text` as a cell of a tab-separated line: tabs, ends of lines and backslashes are escaped. */
export function plainCell(text: string): string {
  return text.replace(/[\\\t\n\r]/g, (character) => plain[character]!);
}

/** `text` in a terminal: control characters, which could move the cursor or worse, are escaped. */
export function cellText(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return plain[character] ?? `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`;
  });
}

/** What a cell of JSON says, as text: strings without their quotes; nothing for null where `none` is ''. */
export function jsonCellText(json: string, none: string): string {
  if (json === 'null') return none;
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

/** Microseconds since the epoch as text. */
export function timeText(micros: number): string {
  const time = new Date(Math.floor(micros / 1000));
  const fraction = String(((micros % 1_000_000) + 1_000_000) % 1_000_000).padStart(6, '0');
  return Number.isNaN(time.getTime()) ? String(micros) : time.toISOString().replace(/\.\d+Z$/, `.${fraction}Z`);
}
