import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Skipped } from "./check.ts";
import type { Target } from "./target.ts";

/** Begins the names of scratch folders; Nest's watchers are not told of what happens in them. */
export const SCRATCH_PREFIX = ".nest-audit-";

/** A folder in the vault that attacks are tried in; made when it is first asked for, removed with all in it at the end. */
export class Scratch implements AsyncDisposable {
  readonly #target: Target;
  readonly #vault: string | undefined;
  readonly name: string;
  #made: Promise<void> | undefined;
  #isClosed = false;

  /** @param vault - where the vault lies on this machine, if it does */
  constructor(target: Target, vault: string | undefined, id: string) {
    this.#target = target;
    this.#vault = vault;
    this.name = `${SCRATCH_PREFIX}${id}`;
  }

  /** The folder's path in the API, `/api/files/NAME`. @throws {Skipped} if it can't be made */
  async open(): Promise<string> {
    if (this.#isClosed) throw new Skipped("stopped");
    this.#made ??= this.#make();
    await this.#made;
    return `/api/files/${this.name}`;
  }

  /** The folder on this machine. @throws {Skipped} if the server's vault is not the config's */
  async folder(): Promise<string> {
    await this.open();
    const path = this.#vault === undefined ? "" : join(this.#vault, this.name);
    if (path === "" || !existsSync(path) || !statSync(path).isDirectory())
      throw new Skipped("the vault of this Nest is not the folder that the config names");
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    if (this.#made === undefined) return;
    await this.#made.catch(() => {});
    const path = `/api/files/${this.name}?recursive=true&permanent=true`;
    await this.#target.caretaker().request({ method: "DELETE", path });
    // Where Nest itself can't any more.
    if (this.#vault === undefined) return;
    try {
      rmSync(join(this.#vault, this.name), { recursive: true, force: true });
    } catch {
      // Not ours to remove: another user's.
    }
  }

  async #make(): Promise<void> {
    const { status } = await this.#target
      .owner()
      .request({ method: "PUT", path: `/api/files/${this.name}/`, body: "" });
    if (status !== 201 && status !== 200)
      throw new Skipped(`no scratch folder could be made in the vault (${status})`);
  }
}
