// Asynchronous calls: each is a task of the addon, and its outcome settles a promise.

import { DoSQLError } from './errors.js';
import { extras, native, report, Report, setUpNative } from './native.js';
import { asFirstValue, asObject, type Row, takeRows } from './rows.js';

/** Adds what was just shown to a list; true: there is more. */
export type Taker<T> = (into: T[]) => boolean;

interface Waiting {
  take: Taker<any>;
  taken: any[];
  resolve(taken: any[]): void;
  reject(error: unknown): void;
}

// How long rows are made of outcomes before others get their turn.
const sliceMs = 8;
const waitings = new Map<number, Waiting>();
// Outcomes with rows that did not fit into the first slice.
const unfinished: number[] = [];
let continues = false;

function takeShown(): void {
  const task = report[Report.task]!;
  const waiting = waitings.get(task);
  if (waiting === undefined) return;
  if (report[Report.failed] === 1) {
    waitings.delete(task);
    waiting.reject(extras[0]);
    return;
  }
  if (waiting.take(waiting.taken)) {
    unfinished.push(task);
  } else {
    waitings.delete(task);
    waiting.resolve(waiting.taken);
  }
}

// In slices, so that a large result does not hold up timers.
function takeUnfinished(): void {
  continues = false;
  const until = performance.now() + sliceMs;
  while (unfinished.length > 0 && performance.now() < until) {
    if (native.takeMore(unfinished.pop()!)) takeShown();
  }
  continueLater();
}

function continueLater(): void {
  if (continues || unfinished.length === 0) return;
  continues = true;
  setImmediate(takeUnfinished);
}

setUpNative(() => {
  while (native.takeOutcome()) takeShown();
  continueLater();
});

/** What a task gives. */
export function outcomeOf<T>(task: number, take: Taker<T>): Promise<T[]> {
  return new Promise((resolve, reject) => {
    waitings.set(task, { take, taken: [], resolve, reject });
  });
}

const takeObjects: Taker<Row> = (into) => takeRows(asObject, into);
const takeValues: Taker<unknown> = (into) => takeRows(asFirstValue, into);

/** The rows of a task. */
export function rowsOf(task: number): Promise<Row[]> {
  return outcomeOf(task, takeObjects);
}

/** Of a task that gives a list of values. */
export function valuesOf(task: number): Promise<unknown[]> {
  return outcomeOf(task, takeValues);
}

/** Awaits a task without rows. */
export async function ended(task: number): Promise<void> {
  await rowsOf(task);
}

const interruptIntervalMs = 10;

function aborted(signal: AbortSignal, error?: DoSQLError): DoSQLError {
  return new DoSQLError('DOSQL_INTERRUPTED', error?.message ?? 'interrupted', {
    cause: signal.reason,
    ...(error?.sql === undefined ? {} : { sql: error.sql }),
  });
}

/** The rows of a task that `signal` may interrupt. What `start` throws may be thrown. */
export function interruptibleRows(
  handle: number,
  start: () => number,
  signal: AbortSignal | undefined,
): Promise<Row[]> {
  return signal === undefined ? rowsOf(start()) : rowsUnless(signal, handle, start);
}

async function rowsUnless(signal: AbortSignal, handle: number, start: () => number): Promise<Row[]> {
  if (signal.aborted) throw aborted(signal);
  const task = start();
  let timer: NodeJS.Timeout | undefined;
  const interrupt = () => {
    native.interrupt(handle, task);
    // A task that had not quite begun goes on until it is told again.
    timer ??= setInterval(interrupt, interruptIntervalMs);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await rowsOf(task);
  } catch (error) {
    const byUs = signal.aborted && error instanceof DoSQLError && error.code === 'DOSQL_INTERRUPTED';
    throw byUs ? aborted(signal, error) : error;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', interrupt);
  }
}
