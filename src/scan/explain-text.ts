import type { ExprNode } from '../expr/node.js';
import { nodeText } from '../expr/node-text.js';

/** The lines of a plan for people: a word each, and what is told of it. */
export function explainText(lines: readonly (readonly [name: string, text: string])[]): string {
  return lines.map(([name, text]) => `${name.padEnd(13)}${text}`).join('\n');
}

/** How many of what was counted are ruled out, by which causes; nothing where none is. */
export function ruledOut(causes: readonly (readonly [count: number, by: string])[]): string {
  return causes.map(([count, by]) => (count === 0 ? '' : `, ${shownCount(count)} ruled out ${by}`)).join('');
}

/** `count` with its noun. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${shownCount(count)} ${count === 1 ? one : many}`;
}

/** `count` with its thousands apart. */
export function shownCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** What a filter leaves to be read, and what it does not. */
export function explainBytes(isFiltered: boolean, filterBytes: number, otherBytes: number): string {
  if (!isFiltered) return shownCount(otherBytes);
  return `${shownCount(filterBytes)} for the filter, at most ${shownCount(otherBytes)} for the rows that survive`;
}

/** How many stretches are read without looking at the filter. */
export function unfilteredText(count: number): string {
  return count > 0 ? `, ${shownCount(count)} of which every row survives` : '';
}

/** `node` with `tables` by their names. */
export function queryText(node: ExprNode, tables: readonly { readonly id: string; readonly name: string }[]): string {
  return tables.reduce((text, { id, name }) => text.replaceAll(`table(${id})`, name), nodeText(node));
}

/** The tables that are read, and at which versions. */
export function tablesText(tables: readonly { readonly name: string; readonly version: number }[]): string {
  const [first, ...others] = tables.map(({ name, version }) => `${name} at version ${version}`);
  return others.length === 0 ? first! : `${first}, outer-joined by key with ${others.join(' and ')}`;
}
