import { ended, valuesOf } from './calls.js';
import { ChangeBatch, type ChangeEvent, type Operation } from './change_event.js';
import type { Database } from './database.js';
import { CDCConnectionError, CDCError, cdcFailure } from './errors.js';
import { native, type NativeFeedSource } from './native.js';

/** What comes has to pass all of it. */
export interface ChangeFilter {
  /** In any case of letters. Default: all. */
  tables?: readonly string[];
  /** Default: all. */
  operations?: readonly Operation[];
}

export interface SubscriptionOptions {
  /** The changes behind it come; 0n, the default, is the beginning. */
  fromLSN?: bigint | number;
  /** Whose changes. Default: main. */
  branch?: string;
  /** Begins with all rows that there are, as inserts with `snapshot`; `fromLSN` does not count. */
  snapshot?: boolean;
  filter?: ChangeFilter;
}

// Behind a list of so many values there are more, and they are found while this one is dealt with.
const muchAtOnce = 4096;

// Feeds whose iterators were forgotten.
const forgotten = new FinalizationRegistry<number>((feed) => closeFeed(feed).catch(() => {}));

async function closeFeed(feed: number): Promise<void> {
  await ended(native.closeFeed(feed));
}

/** Gives changes to one loop. It waits for changes beside JavaScript, and has at most two batches. */
class ChangeIterator implements AsyncIterableIterator<ChangeEvent, undefined> {
  readonly #start: () => Promise<number>;
  #feed: Promise<number> | undefined;
  #batch: ChangeBatch | undefined;
  // The batch behind it, on its way.
  #ahead: Promise<unknown[]> | undefined;
  #ended = false;
  // Calls of next() that cannot be answered yet are answered in their order.
  #answers: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closing: Promise<void> | undefined;

  constructor(start: () => Promise<number>) {
    this.#start = start;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  open(): Promise<number> {
    this.#feed ??= this.#start().then((feed) => {
      forgotten.register(this, feed, this);
      return feed;
    });
    return this.#feed;
  }

  next(): Promise<IteratorResult<ChangeEvent, undefined>> {
    if (this.#waiting === 0) {
      const event = this.#batch?.next();
      if (event !== undefined) return Promise.resolve({ value: event, done: false });
    }
    ++this.#waiting;
    const answer = this.#answers.then(() => this.#wait()).finally(() => --this.#waiting);
    this.#answers = answer.catch(() => {});
    return answer;
  }

  async #wait(): Promise<IteratorResult<ChangeEvent, undefined>> {
    try {
      while (!this.#ended) {
        const event = this.#batch?.next();
        if (event !== undefined) return { value: event, done: false };
        this.#batch = await this.#nextBatch(await this.open());
      }
    } catch (error) {
      if (!this.#ended) {
        await this.close().catch(() => {});
        throw cdcFailure(error);
      }
    }
    return { value: undefined, done: true };
  }

  async #nextBatch(feed: number): Promise<ChangeBatch | undefined> {
    let values = (await this.#ahead) ?? [];
    this.#ahead = undefined;
    if (this.#ended) return undefined;
    if (values.length === 0) values = await valuesOf(native.nextChanges(feed, true));
    // It was stopped: by close(), or with its handle.
    if (this.#ended) return undefined;
    if (values.length >= muchAtOnce) {
      this.#ahead = valuesOf(native.nextChanges(feed, false));
      this.#ahead.catch(() => {});
    }
    if (values.length > 0) return new ChangeBatch(values);
    throw new CDCConnectionError('DOSQL_INTERRUPTED', 'the database was closed');
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.close();
    return { value: undefined, done: true };
  }

  /** A call of next() that waits is answered: there is nothing more. */
  close(): Promise<void> {
    this.#ended = true;
    this.#batch = undefined;
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
export class CDCSubscription implements AsyncIterable<ChangeEvent> {
  readonly #changes: ChangeIterator;
  #iterated = false;

  private constructor(changes: ChangeIterator) {
    this.#changes = changes;
  }

  /** @internal */
  static behind(database: Database, options: SubscriptionOptions): CDCSubscription {
    const { fromLSN = 0n, branch = 'main', snapshot = false, filter = {} } = options;
    const source: NativeFeedSource = [undefined, branch, fromLSN, snapshot, ...nativeFilter(filter)];
    return new CDCSubscription(new ChangeIterator(() => openFeed(database, source)));
  }

  /** @internal */
  static async ofSlot(database: Database, slot: string, filter: ChangeFilter): Promise<CDCSubscription> {
    if (typeof slot !== 'string') throw new CDCError('DOSQL_INVALID_ARGUMENT', "a slot's name must be a string");
    const source: NativeFeedSource = [slot, undefined, undefined, undefined, ...nativeFilter(filter)];
    const changes = new ChangeIterator(() => openFeed(database, source));
    await changes.open();
    return new CDCSubscription(changes);
  }

  /** The changes, once. */
  iterate(): AsyncIterableIterator<ChangeEvent, undefined> {
    if (this.#iterated) {
      throw new CDCError('DOSQL_INVALID_ARGUMENT', 'a subscription is for one loop', { hint: 'make another one' });
    }
    this.#iterated = true;
    return this.#changes;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ChangeEvent, undefined> {
    return this.iterate();
  }

  /** Ends it: a loop over it ends as if there were no more changes. */
  close(): Promise<void> {
    return this.#changes.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function nativeFilter({ tables, operations }: ChangeFilter): [tables: unknown, operations: unknown] {
  return [tables, operations];
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
