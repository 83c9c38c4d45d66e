// Rows out of the memory that the addon shares with us.

import { DoSQLError } from './errors.js';
import { cells, extras, native, report, Report, words } from './native.js';

/** A row as an object, its columns by their names. */
export type Row = Record<string, any>;

// The high halves of cells that are no numbers.
const nullWord = 0x7ff80001;
const extraWord = 0x7ff80002;

/** The value of a cell. */
export function valueAt(cell: number): unknown {
  const value = cells[cell]!;
  return value === value ? value : otherValueAt(cell);
}

function otherValueAt(cell: number): unknown {
  const high = words[2 * cell + 1]!;
  if (high === nullWord) return null;
  const low = words[2 * cell]!;
  if (high === extraWord) return extras[low];
  const shared = extras[high & 0xffff] as string;
  const begin = low >>> 16;
  return shared.substring(begin, begin + (low & 0xffff));
}

/** Makes a row of the cells from `cell` on. */
export type RowMaker<T> = (columns: Columns, cell: number) => T;

type ObjectMaker = (cell: number) => Row;

function plainMaker(names: readonly string[]): ObjectMaker {
  // Copies of it have the right properties in the right order, so that all rows are alike to the engine.
  const empty: Row = Object.fromEntries(names.map((name) => [name, null]));
  return (cell) => {
    const row = { ...empty };
    for (let column = 0; column < names.length; ++column) row[names[column]!] = valueAt(cell + column);
    return row;
  };
}

// An object literal takes a third of the time. Null: it has too many columns, or code may not be made of text here
// (node --disallow-code-generation-from-strings).
function compiledMaker(names: readonly string[]): ObjectMaker | null {
  if (names.length > mostCompiledColumns) return null;
  const key = (name: string) => (name === '__proto__' ? `['__proto__']` : JSON.stringify(name));
  const members = names.map((name, column) => `${key(name)}: valueAt(cell + ${column})`);
  try {
    return new Function('valueAt', `return (cell) => ({ ${members.join(', ')} })`)(valueAt) as ObjectMaker;
  } catch {
    return null;
  }
}

const mostCompiledColumns = 64;
// It is not worth while for less.
const rowsBeforeCompiling = 100;

/** The columns of some rows. */
export class Columns {
  readonly names: readonly string[];
  #make: ObjectMaker;
  #made = 0;

  constructor(names: readonly string[]) {
    this.names = names;
    this.#make = plainMaker(names);
  }

  /** The row of the cells from `cell` on. */
  object(cell: number): Row {
    if (this.#made <= rowsBeforeCompiling && ++this.#made > rowsBeforeCompiling) {
      this.#make = compiledMaker(this.names) ?? this.#make;
    }
    return this.#make(cell);
  }

  array(cell: number): unknown[] {
    const row: unknown[] = [];
    for (let column = 0; column < this.names.length; ++column) row.push(valueAt(cell + column));
    return row;
  }
}

export const asObject: RowMaker<Row> = (columns, cell) => columns.object(cell);
export const asArray: RowMaker<unknown[]> = (columns, cell) => columns.array(cell);
export const asFirstValue: RowMaker<unknown> = (_, cell) => valueAt(cell);

const mostShapes = 1024;
const shapes = new Map<number, Columns>();
// Mostly the same statement runs again.
let newestNumber = 0;
let newestShape = new Columns([]);

function shapeOfReport(): Columns {
  const number = report[Report.shape]!;
  if (number !== newestNumber) {
    newestShape = shapeOf(number);
    newestNumber = number;
  }
  return newestShape;
}

function shapeOf(number: number): Columns {
  let shape = shapes.get(number);
  if (shape === undefined) {
    if (shapes.size >= mostShapes) shapes.clear();
    const names = native.shapeColumns(number);
    if (names === undefined) throw new DoSQLError('DOSQL_INTERNAL', 'the columns of the rows are not known');
    shape = new Columns(names);
    shapes.set(number, shape);
  }
  return shape;
}

/** Adds the rows that were just shown; true when there are more. */
export function takeRows<T>(make: RowMaker<T>, into: T[]): boolean {
  const rows = report[Report.rows]!;
  if (rows === 0) return false;
  const more = report[Report.more] === 1;
  const shape = shapeOfReport();
  const columns = shape.names.length;
  for (let row = 0; row < rows; ++row) into.push(make(shape, row * columns));
  if (rows > 1) extras.length = 0;
  return more;
}

/** The one row that was just shown, or undefined. */
export function takeRow<T>(make: RowMaker<T>): T | undefined {
  return report[Report.rows] === 0 ? undefined : make(shapeOfReport(), 0);
}
