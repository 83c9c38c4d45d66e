// Points in time: which version is meant. A point is only a description; what does not exist is reported where it
// is used.

import { DoSQLError } from './errors.js';
import type { NativePoint } from './native.js';

export type TimePoint =
  | { readonly type: 'lsn'; readonly lsn: bigint }
  | { readonly type: 'timestamp'; readonly timestamp: string }
  | { readonly type: 'snapshot'; readonly snapshot: string }
  | { readonly type: 'branch'; readonly branch: string }
  | { readonly type: 'relative'; readonly versionOffset: number };

function refuse(message: string): never {
  throw new DoSQLError('DOSQL_INVALID_ARGUMENT', message);
}

/** The commit that has this LSN, or the newest one before it. */
export function lsn(lsn: bigint | number): TimePoint {
  if (typeof lsn !== 'bigint' && !Number.isSafeInteger(lsn)) refuse('an LSN is a bigint or a whole number');
  return { type: 'lsn', lsn: BigInt(lsn) };
}

/** The newest version at or before a time: a Date, or what SQLite's date functions read (UTC without an offset). */
export function timestamp(time: string | Date): TimePoint {
  if (time instanceof Date) {
    if (Number.isNaN(time.getTime())) refuse('the Date is invalid');
    return { type: 'timestamp', timestamp: time.toISOString() };
  }
  if (typeof time !== 'string') refuse('a timestamp is a string or a Date');
  return { type: 'timestamp', timestamp: time };
}

/** `main@5` is main after its fifth commit; any other name is what a snapshot was called. */
export function snapshot(name: string): TimePoint {
  if (typeof name !== 'string') refuse('the name of a snapshot is a string');
  return { type: 'snapshot', snapshot: name };
}

/** The newest version of a branch. */
export function branch(name: string): TimePoint {
  if (typeof name !== 'string') refuse('the name of a branch is a string');
  return { type: 'branch', branch: name };
}

/** `{ versionOffset: -5 }` is five versions back, 0 the newest one. */
export function relative(from: { versionOffset: number }): TimePoint {
  const versionOffset: number | undefined = from?.versionOffset;
  if (!Number.isSafeInteger(versionOffset)) refuse('versionOffset is a whole number');
  return { type: 'relative', versionOffset };
}

/**
 * A point for the addon. Text is what a person writes in one word: `main@5`, the name of a snapshot or a branch, a
 * timestamp.
 */
export function nativePoint(point: TimePoint | string | undefined): NativePoint {
  if (point === undefined) return [undefined, undefined];
  if (typeof point === 'string') return ['text', point];
  switch (point?.type) {
    case 'lsn':
      return ['lsn', point.lsn];
    case 'timestamp':
      return ['timestamp', point.timestamp];
    case 'snapshot':
      return ['snapshot', point.snapshot];
    case 'branch':
      return ['branch', point.branch];
    case 'relative':
      return ['relative', point.versionOffset];
    default:
      return refuse('this is no point in time: use lsn(), timestamp(), snapshot(), branch() or relative()');
  }
}
