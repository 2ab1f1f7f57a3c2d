import { timingSafeEqual } from "node:crypto";
import { digestOf } from "./authenticator.ts";
import type { BrowserRecord, BrowserStore } from "./browser-store.ts";
import { newToken } from "./new-token.ts";
import type { Principal } from "./principal.ts";

/** What a browser is told when it gets a token of its own; the only time that the token is seen. */
export interface IssuedBrowser {
  readonly id: string;
  readonly token: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresMs: number;
}

/** What is shown of a browser's token. */
export interface ListedBrowser {
  readonly id: string;
  /** As the device named itself. */
  readonly name: string;
  readonly createdMs: number;
  readonly expiresMs: number;
}

export interface BrowserTokensOptions {
  readonly store: BrowserStore;
  readonly wallMs: () => number;
  /** Called after the set of good tokens has changed. */
  readonly changed: () => void;
}

/** Lifetime of a token that is kept with the browser, and of one for a single tab, ms. */
const KEPT_MS = 90 * 86_400_000;
const TAB_MS = 86_400_000;
/** Browsers of one token. The one that would expire first makes room. */
const MAX_PER_TOKEN = 32;

/**
 * Tokens that browsers got in exchange for a configured one, so that no page has to keep the owner's.
 *
 * Such a token may do what the one it came from may, as of now, and ends with it: when that is revoked, rotated or
 * expires, its browsers are out at once. It can't be exchanged again, so that a stolen one can't outlive its date. Only
 * digests are kept.
 */
export class BrowserTokens {
  readonly #options: BrowserTokensOptions;
  #records: BrowserRecord[];
  #configured: readonly Principal[] = [];

  constructor(options: BrowserTokensOptions) {
    this.#options = options;
    this.#records = options.store.load();
  }

  /** Takes over the configured tokens; browsers whose token is no longer among them are forgotten for good. */
  setConfigured(principals: readonly Principal[]): void {
    this.#configured = principals;
    const digests = new Set(principals.map(({ digest }) => digest.toHex()));
    const now = this.#options.wallMs();
    this.#keep((record) => digests.has(record.parent) && record.expiresMs > now);
  }

  /** All good tokens: the configured ones, then the browsers'. */
  principals(): Principal[] {
    return [
      ...this.#configured,
      ...this.#records.flatMap((record) => {
        const parent = this.#parentOf(record);
        return parent === undefined ? [] : [principalOf(record, parent)];
      }),
    ];
  }

  /**
   * A new token for a browser.
   *
   * @param parent - a configured principal
   * @param name - of the device, for people
   * @param keep - for this browser, not just for this tab
   */
  issue(parent: Principal, name: string, keep: boolean): IssuedBrowser {
    const token = newToken();
    const now = this.#options.wallMs();
    const record: BrowserRecord = {
      id: crypto.getRandomValues(new Uint8Array(9)).toBase64({ alphabet: "base64url" }),
      name,
      digest: digestOf(token).toHex(),
      parent: parent.digest.toHex(),
      createdMs: now,
      expiresMs: Math.min(now + (keep ? KEPT_MS : TAB_MS), parent.expiresMs ?? Infinity),
    };
    const siblings = this.#records
      .filter((other) => other.parent === record.parent)
      .toSorted((a, b) => a.expiresMs - b.expiresMs);
    const crowded = new Set(siblings.slice(0, Math.max(0, siblings.length - MAX_PER_TOKEN + 1)));
    this.#records = [
      ...this.#records.filter((other) => !crowded.has(other) && other.expiresMs > now),
      record,
    ];
    this.#save();
    return { id: record.id, token, expiresMs: record.expiresMs };
  }

  /** The browsers that `asker` may see: all with `admin`, else those of the same token. */
  list(asker: Principal): ListedBrowser[] {
    return this.#records
      .filter((record) => mayManage(asker, record))
      .map(({ id, name, createdMs, expiresMs }) => ({ id, name, createdMs, expiresMs }));
  }

  /** Ends a browser's token at once; false if there is none of this id that `asker` may see. */
  revoke(asker: Principal, id: string): boolean {
    return this.#keep((record) => record.id !== id || !mayManage(asker, record));
  }

  #parentOf(record: BrowserRecord): Principal | undefined {
    return this.#configured.find(({ digest }) => digest.toHex() === record.parent);
  }

  /** True if any was dropped. */
  #keep(test: (record: BrowserRecord) => boolean): boolean {
    const kept = this.#records.filter(test);
    const isChanged = kept.length !== this.#records.length;
    if (isChanged) {
      this.#records = kept;
      this.#save();
    }
    return isChanged;
  }

  #save(): void {
    this.#options.store.save(this.#records);
    this.#options.changed();
  }
}

function principalOf(record: BrowserRecord, parent: Principal): Principal {
  return {
    name: `${parent.name}/${record.id}`,
    scopes: parent.scopes,
    expiresMs: Math.min(record.expiresMs, parent.expiresMs ?? Infinity),
    digest: Uint8Array.fromHex(record.digest),
    browser: { id: record.id, parent: record.parent },
  };
}

function mayManage(asker: Principal, record: BrowserRecord): boolean {
  if (asker.scopes.has("admin")) return true;
  const parent = asker.browser?.parent ?? asker.digest.toHex();
  return timingSafeEqual(Buffer.from(parent), Buffer.from(record.parent));
}
