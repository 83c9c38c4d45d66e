import { ended, outcomeOf } from './calls.js';
import {
  type ChangeEvent,
  EventReader,
  type FeedEvent,
  type Operation,
  type SchemaEvent,
  type TransactionEvent,
} from './change_event.js';
import type { Database } from './database.js';
import { CDCConnectionError, CDCError, cdcFailure } from './errors.js';
import { native, type NativeFeedPlace, type NativeFeedSource } from './native.js';

/** What comes has to pass all of it. LSNs do not depend on it. */
export interface ChangeFilter<Transactions extends boolean = boolean, Schema extends boolean = boolean> {
  /** In any case of letters. Default: all. */
  tables?: readonly string[] | undefined;
  /** Of row changes. Default: all. */
  operations?: readonly Operation[] | undefined;
  /** Of row changes, those for which it is true. It is asked as the loop takes them. Default: all. */
  predicate?: ((change: ChangeEvent) => boolean) | undefined;
  /** Also tells where each commit begins and ends. Default: false. */
  transactions?: Transactions | undefined;
  /** Also tells which tables came, went or were altered. Default: false. */
  schema?: Schema | undefined;
}

/** What comes through a filter. */
export type EventsOf<Transactions extends boolean, Schema extends boolean> =
  | ChangeEvent
  | (Transactions extends false ? never : TransactionEvent)
  | (Schema extends false ? never : SchemaEvent);

export interface SubscriptionOptions<Transactions extends boolean = boolean, Schema extends boolean = boolean> {
  /** The changes behind it come; 0n, the default, is the beginning. */
  fromLSN?: bigint | number | undefined;
  /** Whose changes. Default: main. */
  branch?: string | undefined;
  /** Begins with all rows that there are, as inserts with `snapshot`; `fromLSN` does not count. */
  snapshot?: boolean | undefined;
  filter?: ChangeFilter<Transactions, Schema> | undefined;
}

// Feeds whose iterators were forgotten.
const forgotten = new FinalizationRegistry<number>((feed) => closeFeed(feed).catch(() => {}));

async function closeFeed(feed: number): Promise<void> {
  await ended(native.closeFeed(feed));
}

/** Gives events to one loop. It waits for them beside JavaScript, and has at most two batches. */
class EventIterator<E extends FeedEvent> implements AsyncIterableIterator<E, undefined> {
  readonly #start: () => Promise<number>;
  readonly #predicate: ((change: ChangeEvent) => boolean) | undefined;
  readonly #reader = new EventReader();
  #feed: Promise<number> | undefined;
  // The newest batch, how far it was taken, and up to where all is given with it and was before it.
  #events: E[] = [];
  #at = 0;
  #givenLSN = 0n;
  #givenBefore = 0n;
  // The batch behind it, on its way.
  #ahead: Promise<E[]> | undefined;
  #ended = false;
  // Calls of next() that cannot be answered yet are answered in their order.
  #answers: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closing: Promise<void> | undefined;

  constructor(start: () => Promise<number>, predicate: ChangeFilter['predicate']) {
    this.#start = start;
    this.#predicate = predicate;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  get givenLSN(): bigint {
    if (this.#at === this.#events.length) return this.#givenLSN;
    const newest = this.#events[this.#at - 1];
    return newest === undefined || 'snapshot' in newest ? this.#givenBefore : newest.lsn;
  }

  open(): Promise<number> {
    this.#feed ??= this.#start().then((feed) => {
      forgotten.register(this, feed, this);
      return feed;
    });
    return this.#feed;
  }

  next(): Promise<IteratorResult<E, undefined>> {
    if (this.#waiting === 0) {
      try {
        const event = this.#nextOfBatch();
        if (event !== undefined) return Promise.resolve({ value: event, done: false });
      } catch (error) {
        return this.#fail(error);
      }
    }
    ++this.#waiting;
    const answer = this.#answers.then(() => this.#wait()).finally(() => --this.#waiting);
    this.#answers = answer.catch(() => {});
    return answer;
  }

  #nextOfBatch(): E | undefined {
    while (this.#at < this.#events.length) {
      const event = this.#events[this.#at++]!;
      if (this.#predicate === undefined || !('key' in event) || this.#predicate(event)) return event;
    }
    return undefined;
  }

  async #wait(): Promise<IteratorResult<E, undefined>> {
    try {
      while (!this.#ended) {
        const event = this.#nextOfBatch();
        if (event !== undefined) return { value: event, done: false };
        await this.#nextBatch(await this.open());
      }
    } catch (error) {
      if (!this.#ended) return this.#fail(error);
    }
    return { value: undefined, done: true };
  }

  async #fail(error: unknown): Promise<never> {
    await this.close().catch(() => {});
    throw cdcFailure(error);
  }

  async #nextBatch(feed: number): Promise<void> {
    let events = (await this.#ahead) ?? [];
    this.#ahead = undefined;
    if (this.#ended) return;
    if (events.length === 0) events = await this.#take(feed, true);
    // It was stopped: by close(), or with its handle.
    if (this.#ended) return;
    if (events.length === 0) throw new CDCConnectionError('DOSQL_INTERRUPTED', 'the database was closed');
    this.#events = events;
    this.#at = 0;
    this.#givenBefore = this.#givenLSN;
    this.#givenLSN = this.#reader.givenLSN;
    // More is found while this is dealt with.
    if (!this.#reader.more) return;
    this.#ahead = this.#take(feed, false);
    this.#ahead.catch(() => {});
  }

  #take(feed: number, waits: boolean): Promise<E[]> {
    return outcomeOf(native.nextChanges(feed, waits), this.#reader.take) as Promise<E[]>;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.close();
    return { value: undefined, done: true };
  }

  /** A call of next() that waits is answered: there is nothing more. */
  close(): Promise<void> {
    this.#ended = true;
    this.#givenLSN = this.givenLSN;
    this.#events = [];
    this.#at = 0;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const feed = await this.#feed?.catch(() => undefined);
    if (feed === undefined) return;
    forgotten.unregister(this);
    await closeFeed(feed);
  }
}

/**
 * A feed of changes, for one loop: `for await (const change of subscription.iterate())`. A loop that ends, however,
 * ends the subscription and lets go of its slot; what waits in it ends with close().
 */
export class CDCSubscription<E extends FeedEvent = ChangeEvent> implements AsyncIterable<E> {
  readonly #events: EventIterator<E>;
  #iterated = false;

  private constructor(events: EventIterator<E>) {
    this.#events = events;
  }

  /** @internal */
  static behind<E extends FeedEvent>(database: Database, options: SubscriptionOptions): CDCSubscription<E> {
    const { fromLSN = 0n, branch = 'main', snapshot = false, filter = {} } = options;
    return CDCSubscription.#of(database, [undefined, branch, fromLSN, snapshot], filter);
  }

  /** @internal */
  static async ofSlot<E extends FeedEvent>(
    database: Database,
    slot: string,
    filter: ChangeFilter,
  ): Promise<CDCSubscription<E>> {
    if (typeof slot !== 'string') throw new CDCError('DOSQL_INVALID_ARGUMENT', "a slot's name must be a string");
    const subscription = CDCSubscription.#of<E>(database, [slot, undefined, undefined, undefined], filter);
    await subscription.#events.open();
    return subscription;
  }

  static #of<E extends FeedEvent>(database: Database, place: NativeFeedPlace, filter: ChangeFilter): CDCSubscription<E> {
    const { tables, operations, predicate, transactions, schema } = filter;
    if (predicate !== undefined && typeof predicate !== 'function') {
      throw new CDCError('DOSQL_INVALID_ARGUMENT', 'the predicate must be a function');
    }
    const source: NativeFeedSource = [...place, tables, operations, transactions, schema];
    return new CDCSubscription(new EventIterator(() => openFeed(database, source), predicate));
  }

  /** All changes up to it were given, or left out by the filter; 0n before the first, and in a snapshot. */
  get givenLSN(): bigint {
    return this.#events.givenLSN;
  }

  /** The events, once. */
  iterate(): AsyncIterableIterator<E, undefined> {
    if (this.#iterated) {
      throw new CDCError('DOSQL_INVALID_ARGUMENT', 'a subscription is for one loop', { hint: 'make another one' });
    }
    this.#iterated = true;
    return this.#events;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<E, undefined> {
    return this.iterate();
  }

  /** Ends it: a loop over it ends as if there were no more changes. */
  close(): Promise<void> {
    return this.#events.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function openFeed(database: Database, source: NativeFeedSource): Promise<number> {
  const feed = native.makeFeed(database.number);
  try {
    await ended(native.openFeed(feed, ...source));
    return feed;
  } catch (error) {
    await closeFeed(feed);
    throw error;
  }
}
