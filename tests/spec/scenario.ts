// What a scenario of a block is: what stands around it when it runs, and what must be so afterwards.

/** What a block of TypeScript finds in `globalThis.scaffolding`, and what it leaves. */
export interface Run {
  /** What the block printed: the arguments of each console.log. */
  printed: unknown[][];
  /** What the text behind the block exports. */
  exports: Record<string, any>;
  /** What `prepare` gave. */
  given: any;
}

export interface TypeScriptRun {
  /** Gives what `before` takes from the scaffolding; `printing` is called with what the block prints. */
  prepare?: () => Promise<object>;
  /** The block does not end by itself, but with an error that the scaffolding throws. */
  ends?: RegExp;
  check: (run: Run) => Promise<void> | void;
}

export interface TypeScriptScenario extends TypeScriptRun {
  before?: string;
  after?: string;
  /** The block runs again, with other things around it. */
  again?: TypeScriptRun[];
}

/**
 * Of SQL, through the shell: gives the database's directory, and what the shell must print for each statement, in any
 * order of lines.
 */
export interface SqlScenario {
  sql: () => Promise<{ directory: string; prints: string[] }>;
}

export type Scenario = TypeScriptScenario | SqlScenario | { waitsFor: string };

/** Declares what the block takes from the scaffolding. */
export const typed = (name: string, type: string) => `const ${name} = (globalThis as any).scaffolding.${name} as ${type};\n`;
export const givenDb = typed('db', "import('@dotdo/dosql').Database");
export const givenConsole = typed('console', '{ log(...values: unknown[]): void; error(...values: unknown[]): void }');
