// Asynchronous calls: each is a task of the addon, and its outcome settles a promise.

import { DoSQLError } from './errors.js';
import { extras, native, report, Report, setUpNative } from './native.js';
import { checkOptions } from './options.js';
import { asFirstValue, asObject, type Row, takeRows } from './rows.js';
import type { CallOptions } from './values.js';

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

// In slices, so that neither a large result nor many small ones hold up timers.
function takeSlice(): void {
  const until = performance.now() + sliceMs;
  for (;;) {
    const took = native.takeOutcome();
    if (took) takeShown();
    const more = unfinished.pop();
    if (more !== undefined && native.takeMore(more)) takeShown();
    if (!took && more === undefined) return;
    if (performance.now() >= until) return continueLater();
  }
}

function continueLater(): void {
  if (continues) return;
  continues = true;
  setImmediate(() => {
    continues = false;
    takeSlice();
  });
}

setUpNative(takeSlice);

/** What a task gives. */
export function outcomeOf<T>(task: number, take: Taker<T>): Promise<T[]> {
  return new Promise((resolve, reject) => {
    waitings.set(task, { take, taken: [], resolve, reject });
  });
}

const takeObjects: Taker<Row> = (into) => takeRows(asObject, into);
const takeValues: Taker<unknown> = (into) => takeRows(asFirstValue, into);

// The error was made when the outcome came, where no caller is. Those who await are on the stack here.
async function located<T>(outcome: Promise<T>): Promise<T> {
  try {
    return await outcome;
  } catch (error) {
    if (error instanceof DoSQLError) Error.captureStackTrace(error);
    throw error;
  }
}

/** The rows of a task. */
export function rowsOf(task: number): Promise<Row[]> {
  return located(outcomeOf(task, takeObjects));
}

/** Of a task that gives a list of values. */
export function valuesOf(task: number): Promise<unknown[]> {
  return located(outcomeOf(task, takeValues));
}

/** Awaits a task without rows. */
export async function ended(task: number): Promise<void> {
  await rowsOf(task);
}

const interruptIntervalMs = 10;

export function aborted(signal: AbortSignal, error?: DoSQLError): DoSQLError {
  return new DoSQLError('DOSQL_INTERRUPTED', error?.message ?? 'interrupted', {
    cause: signal.reason,
    ...(error?.sql === undefined ? {} : { sql: error.sql }),
  });
}

/** What of the options may interrupt a call that begins. Errors: it is no AbortSignal, or it was aborted before. */
export function signalOf(options: CallOptions | null | undefined): AbortSignal | undefined {
  if (options === undefined || options === null) return undefined;
  checkOptions(options, { signal: true }, 'a call');
  // From JavaScript it may be anything, null where there is none.
  const signal: Partial<AbortSignal> | null | undefined = options.signal;
  if (signal === undefined || signal === null) return undefined;
  if (typeof signal.aborted !== 'boolean' || typeof signal.addEventListener !== 'function') {
    throw new DoSQLError('DOSQL_INVALID_ARGUMENT', 'signal must be an AbortSignal');
  }
  if (signal.aborted) throw aborted(signal as AbortSignal);
  return signal as AbortSignal;
}

// One listener for each signal: many calls may share one.
const watched = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `act` when the signal is aborted, unless what it gives was called before. */
export function whenAborted(signal: AbortSignal, act: () => void): () => void {
  let acts = watched.get(signal);
  if (acts === undefined) {
    const made = new Set<() => void>();
    // The newest first: those that wait behind a call must not run because it was stopped.
    signal.addEventListener('abort', () => [...made].reverse().forEach((one) => one()), { once: true });
    watched.set(signal, (acts = made));
  }
  acts.add(act);
  return () => acts.delete(act);
}

/** The rows of a task that `signal` may interrupt. */
export async function interruptibleRows(
  handle: number,
  start: () => number,
  signal: AbortSignal,
): Promise<Row[]> {
  if (signal.aborted) throw aborted(signal);
  const task = start();
  let timer: NodeJS.Timeout | undefined;
  const interrupt = () => {
    native.interrupt(handle, task);
    // A task that had not quite begun goes on until it is told again.
    timer ??= setInterval(interrupt, interruptIntervalMs);
  };
  const forget = whenAborted(signal, interrupt);
  try {
    return await rowsOf(task);
  } catch (error) {
    const byUs = signal.aborted && error instanceof DoSQLError && error.code === 'DOSQL_INTERRUPTED';
    throw byUs ? aborted(signal, error) : error;
  } finally {
    clearInterval(timer);
    forget();
  }
}
