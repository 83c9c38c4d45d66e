// What merging takes, and what it gives: the addon's lists of values and the engine's JSON as objects.

import type { VersionId } from './database.js';
import { DoSQLError } from './errors.js';
import type { Row } from './rows.js';
import type { Value } from './values.js';

/** What becomes of cells that both branches changed, and differently. */
export type MergeStrategy =
  /** A conflict: nothing is merged. */
  | 'auto'
  /** What the handle's branch has stays. */
  | 'ours'
  /** What the merged branch has is taken. */
  | 'theirs'
  /** The conflicts wait until each is resolved and the merge is completed. */
  | 'manual';

export interface MergeOptions {
  /** Default: auto. */
  strategy?: MergeStrategy | undefined;
  /** One commit that has the branch's changes and not its history. */
  squash?: boolean | undefined;
  /** The branch's new rows get new keys where the handle's branch has others under theirs. */
  renumber?: boolean | undefined;
  /** Of the commit. A fast-forward makes none. */
  message?: string | undefined;
  /** Only tells what would happen. */
  dryRun?: boolean | undefined;
}

/** Of revert() and cherryPick(): what is undone or picked is to them what the merged branch has. */
export type PickOptions = Pick<MergeOptions, 'strategy' | 'message' | 'dryRun'>;

/** What a merge did to a table or view. */
export interface TableMergeCounts {
  table: string;
  /**
   * What became of its definition, indexes and triggers: null where nothing did. The rows of one that was dropped are
   * not counted.
   */
  schema: 'create' | 'alter' | 'rename' | 'drop' | null;
  inserted: number;
  updated: number;
  deleted: number;
  conflicts: number;
}

export type ConflictKind =
  | 'update_update'
  | 'insert_insert'
  | 'key_collision'
  | 'update_delete'
  | 'delete_update'
  | 'unique'
  | 'check'
  | 'not_null'
  | 'foreign_key'
  | 'schema'
  | 'base';

/**
 * Where the two branches cannot both have their way. A side is an object of the row's columns (of an `update_update`:
 * of those in question), null where there is no row, and of a `schema` conflict the definition. Of a `unique` conflict
 * `main` is the row that is in the way, or an array where several are.
 */
export interface MergeConflict {
  /** From 1. */
  id: number;
  table: string;
  /** The row's key, an array where it has several columns; of a `schema` conflict the name of what it is about. */
  key: any;
  kind: ConflictKind;
  /** As both branches began. */
  base: any;
  /** As the branch has it that is merged into. */
  main: any;
  /** As the branch has it that is merged. */
  branch: any;
}

/**
 * What becomes of a conflict: a side, by its name or as the conflict has it; the end of the row (`delete`); an object
 * with values for columns; or the value of the one column in question.
 */
export type ConflictResolution =
  | 'ours'
  | 'theirs'
  | 'delete'
  | { readonly [column: string]: Value }
  | readonly { readonly [column: string]: Value }[]
  | Value;

export interface MergeResult {
  /** What was done, or would be; of `completeMerge` what had met the conflicts. */
  action: 'merge' | 'revert' | 'pick';
  /** The handle's branch had all of it, or nothing was left to undo: nothing happened. */
  alreadyMerged: boolean;
  /** The handle's branch had no commits of its own: it is the other one's newest version now. */
  fastForward: boolean;
  /** The newest version of the handle's branch afterwards. */
  version: VersionId;
  /** Tables that changed or have conflicts; none of a fast-forward. */
  tables: TableMergeCounts[];
  /** With any, nothing was changed. */
  conflicts: MergeConflict[];
  /** Of the first of them: `renumber` would keep both rows. */
  renumberHelps: boolean;
}

/** Seven values for each conflict. */
export function conflictsOf(values: unknown[], from = 0): MergeConflict[] {
  const conflicts: MergeConflict[] = [];
  for (let at = from; at < values.length; at += 7) {
    const [id, table, key, kind, base, main, branch] = values.slice(at, at + 7) as any;
    conflicts.push({ id, table, key: keyOf(key), kind, base: sideOf(base), main: sideOf(main), branch: sideOf(branch) });
  }
  return conflicts;
}

export function mergeResultOf(values: unknown[]): MergeResult {
  const [action, alreadyMerged, fastForward, renumberHelps, branch, version, lsn, count] = values as any[];
  const tables: TableMergeCounts[] = [];
  let at = 8;
  for (; tables.length < count; at += 6) {
    const [table, schema, inserted, updated, deleted, conflicts] = values.slice(at, at + 6) as any[];
    tables.push({ table, schema: schema || null, inserted, updated, deleted, conflicts });
  }
  return {
    action,
    alreadyMerged: alreadyMerged === 1,
    fastForward: fastForward === 1,
    version: { branch, version, lsn: BigInt(lsn) },
    tables,
    conflicts: conflictsOf(values, at),
    renumberHelps: renumberHelps === 1,
  };
}

// Integers of JSON that no number holds, and the strings in which they do not count.
const integersAndStrings = /"(?:[^"\\]|\\.)*"|(?<![\d.eE+])-?\d{16,}(?![\d.eE])/g;

function parse(json: string): any {
  return JSON.parse(
    json.replace(integersAndStrings, (found) =>
      found.startsWith('"') || Number.isSafeInteger(Number(found)) ? found : `{"integer":"${found}"}`,
    ),
  );
}

// What JSON has no value for is an object.
function valueOf(parsed: any): unknown {
  if (typeof parsed !== 'object' || parsed === null) return parsed;
  if ('integer' in parsed) return BigInt(parsed.integer);
  if ('real' in parsed) return parsed.real === 'inf' ? Infinity : -Infinity;
  return new Uint8Array(Buffer.from(parsed.blob, 'hex'));
}

function keyOf(json: string): unknown {
  const parsed = parse(json);
  return Array.isArray(parsed) ? parsed.map(valueOf) : valueOf(parsed);
}

function sideOf(json: string): unknown {
  const parsed = parse(json);
  if (typeof parsed !== 'object' || parsed === null) return parsed;
  return Array.isArray(parsed) ? parsed.map(rowOf) : rowOf(parsed);
}

const rowOf = (parsed: object): Row =>
  Object.fromEntries(Object.entries(parsed).map(([column, value]) => [column, valueOf(value)])) as Row;

function refuse(message: string): never {
  throw new DoSQLError('DOSQL_INVALID_ARGUMENT', message);
}

function jsonOf(value: unknown, what: string): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      if (Number.isNaN(value)) return 'null';
      return Number.isFinite(value) ? String(value) : `{"real":"${value > 0 ? 'inf' : '-inf'}"}`;
    case 'bigint':
      return String(value);
    case 'boolean':
      return value ? '1' : '0';
    case 'object':
      return value === null ? 'null' : jsonOfObject(value, what);
    default:
      return refuse(`${what} is ${value === undefined ? 'undefined' : `a ${typeof value}`}`);
  }
}

function jsonOfObject(value: object, what: string): string {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) refuse(`${what} is an invalid Date`);
    return JSON.stringify(value.toISOString().replace('T', ' ').replace('Z', ''));
  }
  if (ArrayBuffer.isView(value)) return jsonOfBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (value instanceof ArrayBuffer) return jsonOfBytes(new Uint8Array(value));
  return refuse(`${what} is an object`);
}

const jsonOfBytes = (bytes: Uint8Array): string => `{"blob":"${Buffer.from(bytes).toString('hex')}"}`;

function jsonOfRow(row: object): string {
  if (typeof row !== 'object' || row === null) return jsonOf(row, 'a row that a conflict is resolved by');
  const members = Object.entries(row).map(
    ([column, value]) => `${JSON.stringify(column)}:${jsonOf(value, `the value of column ${column}`)}`,
  );
  return `{${members.join(',')}}`;
}

/** For the addon: what is taken, and of a value its JSON. */
export function nativeResolution(resolution: ConflictResolution): [take: string, json: string] {
  if (resolution === 'ours' || resolution === 'theirs' || resolution === 'delete') return [resolution, ''];
  const isValue = typeof resolution !== 'object' || resolution === null || resolution instanceof Date;
  if (isValue || ArrayBuffer.isView(resolution) || resolution instanceof ArrayBuffer) {
    return ['value', jsonOf(resolution, 'what a conflict is resolved by')];
  }
  return ['value', Array.isArray(resolution) ? `[${resolution.map(jsonOfRow).join(',')}]` : jsonOfRow(resolution)];
}
