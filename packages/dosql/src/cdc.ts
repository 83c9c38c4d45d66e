/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Change data capture: what was inserted, updated and deleted, commit by commit, and slots that keep how far a
 * consumer has got.
 *
 * @packageDocumentation
 */
import { ended, rowsOf } from './calls.js';
import { Database } from './database.js';
import { CDCError, cdcFailure } from './errors.js';
import { native } from './native.js';
import { checkOptions, type OptionNames, refuse, truthOf } from './options.js';
import type { Row } from './rows.js';
import { type ChangeFilter, CDCSubscription, type EventsOf, type SubscriptionOptions } from './subscription.js';

export type { ChangeEvent, FeedEvent, Operation, SchemaEvent, TransactionEvent } from './change_event.js';
export { CDCConnectionError, CDCError } from './errors.js';
export { type ChangeFilter, CDCSubscription, type EventsOf, type SubscriptionOptions } from './subscription.js';

export interface SlotOptions {
  /** Whose changes it follows. Default: main. */
  branch?: string | undefined;
  /** A slot that is further behind is lost. Default: no limit. */
  lagSecondsMax?: number | undefined;
  /** The same in bytes of the log. Default: no limit. */
  lagBytesMax?: number | undefined;
}

export interface SlotInfo {
  name: string;
  branch: string;
  /** All changes up to it were dealt with. */
  acknowledgedLSN: bigint;
  created: Date;
  /** When that was last said. */
  acknowledged: Date;
  /** How much of the branch is not acknowledged: commits, their bytes in the log, the age of the oldest. */
  lagCommits: number;
  lagBytes: number;
  lagSeconds: number;
  /** 0: no limit. */
  lagSecondsMax: number;
  lagBytesMax: number;
  /** A subscription of this process has it. */
  inUse: boolean;
  /** It was further behind than a limit: drop it, and begin anew. */
  lost: boolean;
}

/** What createCDC() and createCDCSubscription() take. */
function checkDatabase(backend: Database): Database {
  if (backend instanceof Database) return backend;
  throw new CDCError('DOSQL_INVALID_ARGUMENT', 'changes are those of a database: give what DB() gave');
}

const slotOptions: OptionNames<SlotOptions> = { branch: true, lagSecondsMax: true, lagBytesMax: true };
const subscriptionOptions: OptionNames<SubscriptionOptions> = {
  fromLSN: true,
  branch: true,
  snapshot: true,
  filter: true,
};
const filterOptions: OptionNames<ChangeFilter> = {
  tables: true,
  operations: true,
  predicate: true,
  transactions: true,
  schema: true,
};

function checkFilter(filter: ChangeFilter | undefined): void {
  if (filter === undefined) return;
  const { tables, operations, transactions, schema } = checkOptions(filter, filterOptions, 'a filter');
  truthOf(transactions, 'transactions');
  truthOf(schema, 'schema');
  // Nothing would come, or all would: neither is meant for sure. Who asks for marks may want no row changes.
  const lists = transactions === true || schema === true ? [tables] : [tables, operations];
  for (const list of lists) {
    if (Array.isArray(list) && list.length === 0) refuse('an empty list in a filter: leave it away for all');
  }
}

function checkSubscription(options: SubscriptionOptions): void {
  try {
    const { filter, snapshot } = checkOptions(options, subscriptionOptions, 'a subscription');
    truthOf(snapshot, 'snapshot');
    checkFilter(filter);
  } catch (error) {
    throw cdcFailure(error);
  }
}

// What is no part of a connection's queue of transactions.
async function withCDCErrors<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw cdcFailure(error);
  }
}

function slotInfo(row: Row): SlotInfo {
  return {
    ...row,
    acknowledgedLSN: BigInt(row['acknowledgedLSN']),
    created: new Date(row['created']),
    acknowledged: new Date(row['acknowledged']),
    inUse: row['inUse'] === 1,
    lost: row['lost'] === 1,
  } as SlotInfo;
}

/** The slots of a database. A slot keeps how far one consumer has got, over restarts and crashes. */
export class CDCSlots {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** @internal */
  static of(database: Database): CDCSlots {
    return new CDCSlots(database);
  }

  /** Makes a slot that begins behind an LSN: 0n is the beginning; without one, with what comes now. */
  createSlot(name: string, fromLSN?: bigint | number, options: SlotOptions = {}): Promise<void> {
    return withCDCErrors(() => {
      const { branch = 'main', lagSecondsMax, lagBytesMax } = checkOptions(options, slotOptions, 'createSlot()');
      return ended(native.createSlot(this.#database.number, name, branch, fromLSN, lagSecondsMax, lagBytesMax));
    });
  }

  /** The changes behind what was acknowledged. One subscription at a time has a slot. */
  subscribeFromSlot<Transactions extends boolean = false, Schema extends boolean = false>(
    name: string,
    options: { filter?: ChangeFilter<Transactions, Schema> | undefined } = {},
  ): Promise<CDCSubscription<EventsOf<Transactions, Schema>>> {
    return withCDCErrors(() => {
      const { filter } = checkOptions(options, { filter: true }, 'subscribeFromSlot()');
      checkFilter(filter);
      return CDCSubscription.ofSlot(this.#database, name, filter ?? {});
    });
  }

  /**
   * Acknowledges: all changes up to `lsn` were dealt with. Backwards changes nothing. While a subscription has the
   * slot, this is written at most every 50 ms and when the subscription ends.
   */
  updateSlot(name: string, lsn: bigint | number): Promise<void> {
    return withCDCErrors(() => ended(native.acknowledge(this.#database.number, name, lsn)));
  }

  getSlot(name: string): Promise<SlotInfo> {
    return withCDCErrors(async () => slotInfo((await rowsOf(native.getSlot(this.#database.number, name)))[0]!));
  }

  /** By name. */
  listSlots(): Promise<SlotInfo[]> {
    return withCDCErrors(async () => (await rowsOf(native.listSlots(this.#database.number))).map(slotInfo));
  }

  dropSlot(name: string): Promise<void> {
    return withCDCErrors(() => ended(native.dropSlot(this.#database.number, name)));
  }
}

/** The changes of a database. */
export class CDC {
  readonly slots: CDCSlots;
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
    this.slots = CDCSlots.of(database);
  }

  /** @internal */
  static of(database: Database): CDC {
    return new CDC(database);
  }

  /** The changes behind an LSN, those that there are and those that come: `for await (const change of ...)`. */
  subscribe<Transactions extends boolean = false, Schema extends boolean = false>(
    fromLSN: bigint | number = 0n,
    options: Omit<SubscriptionOptions<Transactions, Schema>, 'fromLSN'> = {},
  ): CDCSubscription<EventsOf<Transactions, Schema>> {
    checkSubscription(options);
    return CDCSubscription.behind(this.#database, { ...options, fromLSN });
  }
}

/** The changes of a database. It needs no closing; subscriptions end with the handle. */
export function createCDC(backend: Database): CDC {
  return CDC.of(checkDatabase(backend));
}

/** The changes of a branch, those that there are and those that come. */
export function createCDCSubscription<Transactions extends boolean = false, Schema extends boolean = false>(
  backend: Database,
  options: SubscriptionOptions<Transactions, Schema> = {},
): CDCSubscription<EventsOf<Transactions, Schema>> {
  checkSubscription(options);
  return CDCSubscription.behind(checkDatabase(backend), options);
}
