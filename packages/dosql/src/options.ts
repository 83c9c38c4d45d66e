// What callers give as options: all of it is looked at, so that nothing misspelt is passed over.

import { DoSQLError } from './errors.js';

/** The names of the options of a kind, as an object so that the compiler misses none. */
export type OptionNames<T> = Readonly<Record<keyof Required<T>, true>>;

export function refuse(message: string, hint?: string): never {
  throw new DoSQLError('DOSQL_INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
}

/** Refuses what is no object, and options that there are not. */
export function checkOptions<T extends object>(options: T, names: OptionNames<T>, of: string): T {
  if (typeof options !== 'object' || options === null) refuse(`the options of ${of} must be an object`);
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (unknown !== undefined) refuse(`there is no option '${unknown}' of ${of}`);
  return options;
}

/** An option that is true or false; undefined is false. */
export function truthOf(value: boolean | undefined, name: string): boolean {
  if (value !== undefined && typeof value !== 'boolean') refuse(`${name} must be a boolean`);
  return value === true;
}
