// Measures ours against a peer as bench/harness.h does: sides take turns, each round gives one ratio, and the median
// of the ratios is what counts, with the smallest and the largest.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

export interface Subject {
  /** Stable, for the JSON file and --filter. */
  name: string;
  what: string;
  unit: string;
  /** Required: ours is at least this many times the peer's. */
  ratioMin?: number;
  /** Required of ours. */
  least?: number;
}

/** One side's share of a round, in the subject's unit; more is better. */
export type Run = () => number | Promise<number>;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '11' },
    filter: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    directory: { type: 'string', default: path.resolve(import.meta.dirname, '../../build') },
    json: { type: 'string', default: '' },
  },
});

export const quick = options.quick;
const rounds = quick ? 3 : Number(options.rounds);
const lines: string[] = [];

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function readable(value: number): string {
  if (value >= 10e6) return `${(value / 1e6).toFixed(1)}M`;
  if (value >= 10e3) return `${Math.round(value / 1e3)}k`;
  return value.toPrecision(3);
}

function print(columns: string[]): void {
  const widths = [-46, 10, 9, 9, 7, 15, 9];
  console.log(columns.map((column, at) => (widths[at]! < 0 ? column.padEnd(-widths[at]!) : column.padStart(widths[at]!))).join(' '));
}

print(['', 'unit', 'ours', 'peer', 'ratio', '[min..max]', 'required']);

/** `count`, or a tenth of it in a quick run. */
export const scaled = (count: number): number => (quick ? count / 10 : count);

/** Operations a second of what `operations` does, which gives their number. */
export async function rate(operations: () => number | Promise<number>): Promise<number> {
  const begin = performance.now();
  const count = await operations();
  return (count * 1000) / (performance.now() - begin);
}

/** Runs all rounds of a subject that is asked for; without a peer the spread is of ours. */
export async function compare(subject: Subject, ours: Run, peer?: Run): Promise<void> {
  if (!subject.name.includes(options.filter)) return;
  const our: number[] = [];
  const their: number[] = [];
  for (let round = 0; round < rounds; ++round) {
    if (round % 2 === 0) our.push(await ours());
    if (peer !== undefined) their.push(await peer());
    if (round % 2 === 1) our.push(await ours());
  }
  const spreadOf = peer === undefined ? our : our.map((value, round) => value / their[round]!);
  const [low, high] = [Math.min(...spreadOf), Math.max(...spreadOf)];
  const ratio = peer === undefined ? undefined : median(spreadOf);
  const { name, what, unit, ratioMin, least } = subject;
  const required = ratioMin === undefined ? (least === undefined ? '' : `>= ${readable(least)}`) : `>= ${ratioMin.toFixed(1)}x`;
  const format = peer === undefined ? readable : (value: number) => value.toFixed(2);
  print([
    what,
    unit,
    readable(median(our)),
    peer === undefined ? '' : readable(median(their)),
    ratio === undefined ? '' : `${ratio.toFixed(2)}x`,
    `[${format(low)}..${format(high)}]`,
    required,
  ]);
  lines.push(
    JSON.stringify({
      name,
      what,
      ours: median(our),
      peer: peer === undefined ? null : median(their),
      ratio: ratio ?? null,
      spread: [low, high],
      unit,
      required: ratioMin ?? least ?? null,
      required_kind: ratioMin !== undefined ? 'ratio at least' : least !== undefined ? 'at least' : 'none',
    }),
  );
}

/** Where databases are made. */
export const folder = mkdtempSync(path.join(options.directory, 'node-bench-'));

/** Writes the JSON file. */
export function finish(): void {
  rmSync(folder, { recursive: true });
  if (options.json !== '') writeFileSync(options.json, `[\n${lines.map((line) => `  ${line}`).join(',\n')}\n]\n`);
}
