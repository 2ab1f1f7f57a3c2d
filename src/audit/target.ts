import { Client } from "./client.ts";
import { type AuditClock, type Endpoint } from "./raw-connection.ts";

/** A running Nest, and who comes to it. */
export class Target {
  readonly url: URL;
  readonly endpoint: Endpoint;
  readonly #clock: AuditClock;
  readonly token: string | undefined;
  /** Nest's own scheme, host and port, as its pages have it for their origin. */
  readonly origin: string;
  /** True where each attack can come from an address of its own. */
  hasAddresses = false;
  readonly #network: string;
  #strangers = 0;
  readonly #used: string[] = [];
  readonly #browsers = new Set<string>();
  #isStopped = false;

  /**
   * @param random - two numbers from 0 to 254: where in 127.0.0.0/8 strangers live in this run
   * @param connectTo - another address to connect to than the URL's name has
   */
  constructor(
    url: URL,
    token: string | undefined,
    clock: AuditClock,
    random: readonly [number, number],
    connectTo?: string,
  ) {
    this.url = url;
    this.token = token;
    this.#clock = clock;
    this.origin = url.origin;
    const isTls = url.protocol === "https:";
    const name = url.hostname.replace(/^\[|\]$/g, "");
    this.endpoint = {
      // "localhost" may be ::1, where there is only the one address.
      host: connectTo ?? (/(?:^|\.)localhost$/.test(name) ? "127.0.0.1" : name),
      port: Number(url.port) || (isTls ? 443 : 80),
      isTls,
      ...(!/^[\d.]+$|:/.test(name) && { serverName: name }),
    };
    // Away from 127.0.0.1, where the owner is, and from 127.0.1.1 and 127.0.0.53, which Debian and systemd use.
    this.#network = `127.${(random[0] % 190) + 64}.${random[1]}`;
  }

  /** Finds out whether attacks can come from other addresses of loopback: on Linux all of 127.0.0.0/8 is this machine. */
  async probe(): Promise<boolean> {
    const answer = await this.#client(undefined, undefined).request({ path: "/health" });
    if (answer.status === 0) return false;
    if (this.endpoint.host.startsWith("127.")) {
      const other = this.#client(`${this.#network}.254`, undefined);
      this.hasAddresses = (await other.status("/health")) === answer.status;
    }
    return true;
  }

  /** Whoever has the token. */
  owner(): Client {
    return this.#client(this.hasAddresses ? `${this.#network}.254` : undefined, this.token);
  }

  /** Somebody without a token, at an address where nobody was before, if there are any. */
  stranger(token?: string): Client {
    if (!this.hasAddresses) return this.#client(undefined, token);
    const address = `${this.#network}.${(this.#strangers++ % 250) + 1}`;
    this.#used.push(address);
    return this.#client(address, token);
  }

  /** The same address, with a token. */
  at(client: Client, token: string | undefined): Client {
    return this.#client(client.address, token);
  }

  /** A browser's token that was made, to be revoked at the end if its check did not come to it. */
  made(browser: string): void {
    this.#browsers.add(browser);
  }

  async revoke(browser: string): Promise<void> {
    const path = `/api/browsers/${browser}`;
    const { status } = await this.caretaker().request({ method: "DELETE", path });
    if (status === 204 || status === 404) this.#browsers.delete(browser);
  }

  /** Whoever tidies up, behind the end as well. */
  caretaker(): Client {
    const address = this.hasAddresses ? `${this.#network}.254` : undefined;
    return this.#client(address, this.token, () => false);
  }

  /** From now on nothing is begun; what was made is taken back, and locks of the audit's own addresses are lifted. */
  async end(): Promise<void> {
    this.#isStopped = true;
    if (this.token === undefined) return;
    for (const browser of this.#browsers) await this.revoke(browser);
    for (const address of new Set(this.#used.splice(0))) {
      const path = `/api/lockouts/${address}`;
      await this.caretaker().request({ method: "DELETE", path });
    }
  }

  #client(
    address: string | undefined,
    token: string | undefined,
    isStopped = () => this.#isStopped,
  ): Client {
    const { endpoint, url } = this;
    const base = url.pathname.replace(/\/+$/, "");
    return new Client(endpoint, this.#clock, base, url.host, address, token, isStopped);
  }
}
