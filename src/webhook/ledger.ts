import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";

/** A webhook that was accepted, as its sender was told. */
export interface Accepted {
  readonly id: string;
  readonly session: string;
}

/** One that the agent has not had yet. */
export interface Undelivered extends Accepted {
  readonly source: string;
  /** What the agent is to read. */
  readonly message: string;
}

/** How long an idempotency key is remembered, ms (contract section 4). */
const KEPT_MS = 24 * 60 * 60 * 1000;
/** Most webhooks remembered; the oldest that are delivered go first. At the default limits a day has 43,200. */
const MAX_ROWS = 65_536;
/** Writes after which old rows are looked for. */
const WRITES_PER_SWEEP = 64;

/**
 * The accepted webhooks: their keys for 24 hours, and the text of those that the agent has not had, so that a 202 is
 * kept over a restart. On disk before the sender is answered.
 *
 * SQLite in WAL mode with `synchronous=FULL`: one insert costs 0.5 to 0.9 ms here, the same as a line appended to a
 * file and fsync'd (0.5 to 0.6 ms). It is that file with an index: it looks a key up in 6 µs without holding 65,536 of
 * them in memory, forgets old rows without being written anew, and mends a torn write by itself.
 *
 * Keys and bodies are kept as digests. Ages are by the wall clock, since they must outlive the process.
 */
export class Ledger implements Disposable {
  readonly #db: Database;
  readonly #maxRows: number;
  #writes = 0;

  /**
   * @param path - the file, made with mode 0600; `:memory:` for one that ends with the process
   * @throws if it can't be opened or is no database
   */
  constructor(path: string, maxRows = MAX_ROWS) {
    this.#maxRows = maxRows;
    // SQLite's own files take over this one's mode.
    if (path !== ":memory:") closeSync(openSync(path, "a", 0o600));
    this.#db = new Database(path, { strict: true });
    this.#db.run("PRAGMA journal_mode = WAL");
    this.#db.run("PRAGMA synchronous = FULL");
    // A second process with the same file does not freeze this one for long, ms.
    this.#db.run("PRAGMA busy_timeout = 1000");
    this.#db.run(`
      CREATE TABLE IF NOT EXISTS webhook (
        key BLOB PRIMARY KEY, body BLOB NOT NULL, id TEXT NOT NULL, session TEXT NOT NULL,
        source TEXT NOT NULL, at INTEGER NOT NULL, message TEXT
      ) WITHOUT ROWID`);
    this.#db.run("CREATE INDEX IF NOT EXISTS webhook_at ON webhook (at)");
    this.#db.run("CREATE INDEX IF NOT EXISTS webhook_id ON webhook (id)");
    this.#db.run(
      "CREATE INDEX IF NOT EXISTS webhook_waiting ON webhook (at) WHERE message IS NOT NULL",
    );
  }

  /** What was answered to this key within the last 24 hours, and whether to the same body. */
  find(
    key: Uint8Array,
    body: Uint8Array,
    nowMs: number,
  ): (Accepted & { readonly isSameBody: boolean }) | undefined {
    const row = this.#db
      .query<{ id: string; session: string; body: Uint8Array }, [Uint8Array, number]>(
        "SELECT id, session, body FROM webhook WHERE key = ? AND at > ?",
      )
      .get(key, nowMs - KEPT_MS);
    if (row === null) return undefined;
    const { id, session } = row;
    return { id, session, isSameBody: Buffer.compare(row.body, body) === 0 };
  }

  /**
   * Writes one down under all of its keys; on disk when this returns.
   *
   * @throws if the disk is full or failing: then nothing was written
   */
  add(keys: readonly Uint8Array[], body: Uint8Array, webhook: Undelivered, nowMs: number): void {
    if (this.#writes++ % WRITES_PER_SWEEP === 0) this.#sweep(nowMs);
    const { id, session, source, message } = webhook;
    const insert = this.#db.query("INSERT OR REPLACE INTO webhook VALUES (?, ?, ?, ?, ?, ?, ?)");
    this.#db.transaction(() => {
      // The text once is enough.
      for (const [i, key] of keys.entries())
        insert.run(key, body, id, session, source, nowMs, i === 0 ? message : null);
    })();
  }

  /** The agent has it, or never will: its text is forgotten. */
  settle(id: string): void {
    this.#db.query("UPDATE webhook SET message = NULL WHERE id = ?").run(id);
  }

  /** What the agent has not had, oldest first. */
  undelivered(): Undelivered[] {
    return this.#db
      .query<Undelivered, []>(
        "SELECT id, session, source, message FROM webhook WHERE message IS NOT NULL ORDER BY at, id",
      )
      .all();
  }

  /** Webhooks remembered. */
  get size(): number {
    return this.#db.query<{ n: number }, []>("SELECT count(*) AS n FROM webhook").get()?.n ?? 0;
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #sweep(nowMs: number): void {
    this.#db.query("DELETE FROM webhook WHERE at <= ? AND message IS NULL").run(nowMs - KEPT_MS);
    const excess = this.size - this.#maxRows;
    if (excess <= 0) return;
    this.#db
      .query(
        "DELETE FROM webhook WHERE key IN (SELECT key FROM webhook WHERE message IS NULL ORDER BY at LIMIT ?)",
      )
      .run(excess);
  }
}
