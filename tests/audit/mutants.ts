/** One change to a file of Nest's. Its text must stand there exactly once, or the suite fails: no mutant may rot away. */
export interface Edit {
  /** Below src. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A small sabotage of Nest, and the check that must notice it. */
export interface Mutant {
  readonly name: string;
  readonly caughtBy: string;
  readonly edits: readonly Edit[];
}

const AUTHENTICATE = "http/middleware/authenticate.ts";
const CONNECTION = "attach/connection.ts";
const PROTOCOL = "attach/protocol.ts";

function mutant(
  name: string,
  caughtBy: string,
  ...edits: (readonly [string, string, string])[]
): Mutant {
  return { name, caughtBy, edits: edits.map(([file, find, replace]) => ({ file, find, replace })) };
}

const COUNT = "lockOut.fail(key, { route: scope.route, request: scope.id });";

export const MUTANTS: readonly Mutant[] = [
  // Authentication.
  mutant("tokens are compared with ===", "auth.comparison", [
    "auth/authenticator.ts",
    "if (timingSafeEqual(digest, principal.digest)) found = principal;",
    "if (digest.toHex() === principal.digest.toHex()) found = principal;",
  ]),
  mutant("tokens are compared byte by byte, with an early exit", "auth.comparison", [
    "auth/authenticator.ts",
    "if (timingSafeEqual(digest, principal.digest)) found = principal;",
    "if (digest.every((byte, i) => byte === principal.digest[i])) found = principal;",
  ]),
  mutant("tokens are compared by Buffer.equals", "auth.comparison", [
    "auth/authenticator.ts",
    "if (timingSafeEqual(digest, principal.digest)) found = principal;",
    "if (Buffer.from(digest).equals(principal.digest)) found = principal;",
  ]),
  mutant("a request without a token goes on", "auth.required", [
    AUTHENTICATE,
    'return refuse(scope, "missing_credentials", !isCrossSite(scope));',
    "return undefined;",
  ]),
  mutant("the guard looks at another spelling of the path than the router", "auth.required", [
    AUTHENTICATE,
    "if (!attach && !isApi(path)) return undefined;",
    'if (!attach && !new URL(scope.request.url).pathname.startsWith("/api/")) return undefined;',
  ]),
  mutant("a token is taken from the query", "auth.forms", [
    AUTHENTICATE,
    'const header = scope.header("authorization");\n    if (header === null) {',
    'const query = new URL(scope.request.url).searchParams.get("token");\n    const header = scope.header("authorization") ?? (query === null ? null : `Bearer ${query}`);\n    if (header === null) {',
  ]),
  mutant("a token is taken from a cookie", "auth.forms", [
    AUTHENTICATE,
    'const header = scope.header("authorization");\n    if (header === null) {',
    'const cookie = /token=([^;]+)/.exec(scope.header("cookie") ?? "")?.[1];\n    const header = scope.header("authorization") ?? (cookie === undefined ? null : `Bearer ${cookie}`);\n    if (header === null) {',
  ]),
  mutant("the header's form is not strict", "auth.forms", [
    "auth/authenticator.ts",
    "const BEARER = /^bearer ([\\x21-\\x7e]{1,512})$/i;",
    "const BEARER = /^(?:bearer)?\\s*([\\x21-\\x2b\\x2d-\\x7e]+)/i;",
  ]),
  mutant("a refusal says what was wrong", "auth.challenge", [
    AUTHENTICATE,
    'return problem(scope, "unauthorized", detail, CHALLENGE);',
    'return problem(scope, "unauthorized", `${reason}: ${detail}`, CHALLENGE);',
  ]),
  mutant("a webhook's signature is not looked at", "auth.webhook-forgery", [
    "webhook/signatures.ts",
    "if (claimed === undefined || !timingSafeEqual(Uint8Array.fromHex(claimed), hmac(key, body)))",
    "if (claimed === undefined)",
  ]),
  mutant("git's hooks are files like any other", "auth.protected-paths", [
    "auth/protected-paths.ts",
    'const FOLDERS = new Set([".pi", ".agents", ".git", ".trash"]);',
    'const FOLDERS = new Set([".pi", ".agents", ".trash"]);',
  ]),
  mutant("protected names are compared with their case", "auth.protected-paths", [
    "auth/protected-paths.ts",
    "    .toLowerCase()\n",
    "",
  ]),
  mutant("a browser's token makes others", "auth.scopes", [
    "http/routes/browsers.ts",
    "if (asker.browser !== undefined) {",
    'if (asker.name === "") {',
  ]),
  mutant("a revoked browser stays", "auth.revocation", [
    "auth/browser-tokens.ts",
    "return this.#keep((record) => record.id !== id || !mayManage(asker, record));",
    "return this.#records.some((record) => record.id === id && mayManage(asker, record));",
  ]),

  // The lock-out.
  mutant("wrong requests are not counted", "lockout.requests", [AUTHENTICATE, COUNT, ""]),
  mutant(
    "the right token passes while its address is locked",
    "lockout.requests",
    [
      "http/app.ts",
      "    authenticate(parts, refuse),\n  ];",
      "    authenticate(parts, refuse),\n    (scope) => (scope.principal === undefined ? lockedOut(scope) : undefined),\n  ];",
    ],
    ["http/app.ts", "    lockedOut,\n    answerPreflight(", "    answerPreflight("],
  ),
  mutant("/health answers the locked", "lockout.requests", [
    "http/middleware/lock-out.ts",
    "if (!lockOut.isAnyoneLocked) return undefined;",
    'if (!lockOut.isAnyoneLocked || scope.path === "/health") return undefined;',
  ]),
  mutant("three times the guesses", "lockout.requests", [
    "cli/live-settings.ts",
    "maxFailures: rateLimit.maxFailures,",
    "maxFailures: rateLimit.maxFailures * 3,",
  ]),
  mutant("429 says not when to come back", "lockout.requests", [
    "http/middleware/lock-out.ts",
    'headers: { "Retry-After": String(seconds) },',
    "headers: {},",
  ]),
  mutant("the lock-out is off for sockets", "lockout.sockets", [
    CONNECTION,
    'lockOut.fail(this.address, { route: "/attach", request: this.#admission.requestId });',
    "",
  ]),
  mutant("waiting sockets don't ask about the lock", "lockout.waiting-sockets", [
    CONNECTION,
    "if (lockedMs > 0) {",
    "if (lockedMs < 0) {",
  ]),
  mutant("all clients are one", "lockout.spares-others", [
    "limit/client-address.ts",
    "if (address.family === 4) return formatIpAddress(address);",
    'if (address.family === 4) return formatIpAddress(address).replace(/\\..*/, ".0.0.0");',
  ]),
  mutant("X-Forwarded-For is believed", "lockout.forwarded", [
    "limit/client-address.ts",
    "if (!isTrusted(address, this.#options.trustedProxies)) {",
    'if (headers.get("x-forwarded-for") === null) {',
  ]),
  mutant("X-Real-IP is believed", "lockout.forwarded", [
    "limit/client-address.ts",
    "if (peer === undefined) return UNKNOWN;",
    'if (peer === undefined) return UNKNOWN;\n    const real = headers.get("x-real-ip");\n    if (real !== null) return { key: real, viaProxy: false };',
  ]),
  mutant("failures are counted a moment later", "lockout.burst", [
    AUTHENTICATE,
    COUNT,
    "setTimeout(() => lockOut.fail(key, { route: scope.route, request: scope.id }), 300);",
  ]),
  mutant("pictures on other sites' pages count", "lockout.web-pages", [
    AUTHENTICATE,
    'return refuse(scope, "missing_credentials", !isCrossSite(scope));',
    'return refuse(scope, "missing_credentials", true);',
  ]),
  mutant("wrong webhook secrets are not counted", "lockout.webhooks", [
    "http/routes/webhook-source.ts",
    "return refuse(scope, reason, hasAny || !isCrossSite(scope), DETAIL);",
    "return refuse(scope, reason, hasAny && isCrossSite(scope), DETAIL);",
  ]),
  mutant("paths that are not there count", "lockout.not-for-others", [
    "http/app.ts",
    'app.notFound(counted(countOther, (c) => problem(c.env, "not_found")));',
    'app.notFound((c) => {\n    lockOut.fail(c.env.client.key);\n    return problem(c.env, "not_found");\n  });',
  ]),

  // Requests.
  mutant("every name is served", "host.names", [
    "http/middleware/host.ts",
    'return name === "localhost" || name.endsWith(".localhost") || scope.settings.hosts.has(name);',
    "return true;",
  ]),
  mutant("names that begin like localhost are served", "host.names", [
    "http/middleware/host.ts",
    'return name === "localhost" ||',
    'return name.startsWith("localhost") ||',
  ]),
  mutant("0.0.0.0 is served", "host.names", [
    "http/middleware/host.ts",
    "if (address !== undefined) return address.value !== 0n;",
    "if (address !== undefined) return true;",
  ]),
  mutant("no Host is as good as localhost", "host.malformed", [
    "http/middleware/host.ts",
    "const match = header === null ? null : AUTHORITY.exec(header);",
    'const match = AUTHORITY.exec(header ?? "localhost");',
  ]),
  mutant("a port may be any number", "host.malformed", [
    "http/middleware/host.ts",
    "if (port !== undefined && Number(port) > 65_535) return undefined;",
    "",
  ]),
  mutant("/health tells the version", "request.health", [
    "http/routes/health.ts",
    '{ status: "ok" }',
    '{ status: "ok", version: "0.1.0" }',
  ]),

  // Browsers.
  mutant("any page opens a socket", "origin.attach", [
    "http/routes/attach.ts",
    "      origin !== null &&\n",
    '      origin === "" &&\n',
  ]),
  mutant("every port of localhost is Nest's own page", "origin.attach", [
    "http/routes/attach.ts",
    "      origin !== ownOrigin(scope) &&\n",
    '      !origin.startsWith("http://localhost:") &&\n      origin !== ownOrigin(scope) &&\n',
  ]),
  mutant("names that begin like Nest's are its own page", "origin.attach", [
    "http/routes/attach.ts",
    "      origin !== ownOrigin(scope) &&\n",
    "      !origin.startsWith(ownOrigin(scope)) &&\n",
  ]),
  mutant("CORS reflects the origin", "cors.answers", [
    "http/cors.ts",
    "return origin !== null && origins.includes(origin) ? origin : undefined;",
    "return origin !== null && origins.length > 0 ? origin : undefined;",
  ]),
  mutant("CORS allows credentials", "cors.answers", [
    "http/cors.ts",
    'headers.set("Vary", "Origin");',
    'headers.set("Vary", "Origin");\n  headers.set("Access-Control-Allow-Credentials", "true");',
  ]),
  mutant("Vary: Origin is left out", "cors.answers", [
    "http/cors.ts",
    'headers.set("Vary", "Origin");',
    "",
  ]),
  mutant("nosniff is dropped", "headers.security", [
    "http/headers.ts",
    '  "X-Content-Type-Options": "nosniff",\n',
    "",
  ]),
  mutant("Nest may be framed", "headers.security", [
    "http/headers.ts",
    '  "X-Frame-Options": "DENY",\n',
    "",
  ]),
  mutant("answers of the API may be cached", "headers.security", [
    "http/headers.ts",
    '"Cache-Control": "no-store", ...own',
    '"Cache-Control": "private", ...own',
  ]),
  mutant("the page may run inline scripts", "headers.page-policy", [
    "http/routes/workspace.ts",
    "\"script-src 'self'\",",
    "\"script-src 'self' 'unsafe-inline'\",",
  ]),
  mutant("the page may talk to anybody", "headers.page-policy", [
    "http/routes/workspace.ts",
    "\"connect-src 'self'\",",
    '"connect-src *",',
  ]),
  mutant("errors repeat what was sent", "errors.leaks", [
    "http/body.ts",
    'throw new Refusal("bad_json", "Expected JSON in UTF-8");',
    'throw new Refusal("bad_json", `Expected JSON, found ${new TextDecoder().decode(bytes)}`);',
  ]),
  mutant("errors show their stack", "errors.leaks", [
    "http/app.ts",
    "return problem(scope, error.code, error.message, error.headers);",
    "return problem(scope, error.code, error.stack, error.headers);",
  ]),
  mutant("errors show the system's words", "errors.leaks", [
    "vault/error.ts",
    "${JSON.stringify(path)}: ${known[1]}`",
    "${JSON.stringify(path)}: ${(error as Error).message}`",
  ]),

  // Sockets.
  mutant("a wrong first frame leaves the socket open", "socket.before-auth", [
    CONNECTION,
    'request: this.#admission.requestId });\n      this.#fail({ type: "error", code: "unauthorized" }, CLOSE.unauthorized);',
    'request: this.#admission.requestId });\n      this.#send({ type: "error", code: "unauthorized" });',
  ]),
  mutant("silent sockets may wait ten minutes", "socket.silent", [
    PROTOCOL,
    "authTimeoutMs: 5000,",
    "authTimeoutMs: 600_000,",
  ]),
  mutant("an address may have any number of waiting sockets", "socket.waiting-room", [
    PROTOCOL,
    "maxWaitingPerAddress: 16,",
    "maxWaitingPerAddress: 16_000,",
  ]),
  mutant("a first frame may be large", "socket.first-frame", [
    PROTOCOL,
    "maxAuthFrameBytes: 4096,",
    "maxAuthFrameBytes: 1024 * 1024,",
  ]),
  mutant("frames may be 64 MiB", "socket.first-frame", [
    PROTOCOL,
    "maxFrameBytes: 1024 * 1024,",
    "maxFrameBytes: 64 * 1024 * 1024,",
  ]),
  mutant("frames are compressed", "socket.compression", [
    "attach/attach.ts",
    "perMessageDeflate: false,",
    "perMessageDeflate: true,",
  ]),
  mutant("which sessions exist is told to anybody", "socket.hidden-sessions", [
    "http/routes/attach.ts",
    "    if (principal !== undefined) {\n      // Without",
    "    if (scope.isUpgraded === false) {\n      // Without",
  ]),

  // The vault.
  mutant(".. is a name", "vault.traversal", [
    "vault/path.ts",
    'if (name === "..") throw escapes(\'it holds ".."\');',
    "",
  ]),
  mutant("a backslash is a letter", "vault.traversal", [
    "vault/path.ts",
    'if (text.includes("\\\\")) throw escapes("it holds a backslash");',
    "",
  ]),
  mutant("folders are opened through links", "vault.links", [
    "vault/directory.ts",
    "const descriptor = openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);",
    "const descriptor = openSync(path, O_PATH | O_DIRECTORY);",
  ]),
  mutant(
    "files are opened through links",
    "vault.links",
    [
      "vault/reading.ts",
      '    if (stats.isSymbolicLink()) return MET_LINK;\n    if (assertOrdinary(stats) === "dir") throw isAFolder();\n    return openToRead',
      "    if (stats.isDirectory()) throw isAFolder();\n    return openToRead",
    ],
    [
      "vault/kind.ts",
      "O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);",
      "O_RDONLY | O_NONBLOCK | O_NOCTTY);",
    ],
  ),
  mutant(
    "a path is checked by realpath and then opened",
    "vault.race",
    [
      "vault/reading.ts",
      "const descriptor = this.#root.withParent(path.names, (directory, name, names) => {\n      gate(names);\n      return this.#openOrdinary(directory, name);\n    });",
      'gate(path.names);\n    const base = realpathSync(this.#root.top.self);\n    const full = `${base}/${path.names.join("/")}`;\n    if (!realpathSync(full).startsWith(`${base}/`)) throw new VaultError("path_escapes", "out");\n    const descriptor = openSync(full, "r");',
    ],
    [
      "vault/reading.ts",
      'import { closeSync, fstatSync, type Stats } from "node:fs";',
      'import { closeSync, fstatSync, openSync, realpathSync, type Stats } from "node:fs";',
    ],
  ),
  mutant(
    "a FIFO is opened and waited for",
    "vault.special-files",
    [
      "vault/reading.ts",
      '    if (assertOrdinary(stats) === "dir") throw isAFolder();\n    return openToRead',
      "    return openToRead",
    ],
    ["vault/kind.ts", "O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);", "O_RDONLY | O_NOFOLLOW);"],
  ),
  mutant("HTML is sent as HTML", "vault.types", [
    "http/content-type.ts",
    '  csv: "text/csv; charset=utf-8",',
    '  csv: "text/csv; charset=utf-8",\n  html: "text/html; charset=utf-8",',
  ]),
  mutant("files are sent without a sandbox", "vault.types", [
    "http/routes/files.ts",
    '  "Content-Security-Policy": "sandbox; default-src \'none\'",\n',
    "",
  ]),
  mutant("announced lengths are not looked at", "vault.body-limit", [
    "http/body.ts",
    'if (Number(scope.header("content-length") ?? 0) > maxBytes) throw tooLarge();',
    "",
  ]),
  mutant("chunks are not summed up", "vault.body-limit", [
    "http/body.ts",
    "if (received > maxBytes) end(controller, tooLarge());",
    "if (received < 0) end(controller, tooLarge());",
  ]),
  mutant("compressed bodies are taken", "vault.body-limit", [
    "http/body.ts",
    'if (encoding !== null && encoding.toLowerCase() !== "identity") {',
    'if (encoding === "") {',
  ]),
  mutant("If-Match is not looked at", "vault.conditions", [
    "http/routes/files.ts",
    '...(match !== null && { ifMatch: match.trim() === "*" ? "*" : strongTags(match) }),',
    "",
  ]),

  // Defaults of the config, and what Nest writes.
  mutant("Nest listens everywhere by default", "config.exposed", [
    "config/schema.ts",
    'host: v.optional(v.pipe(v.string(HOST), v.check(isHost, HOST)), "127.0.0.1"),',
    'host: v.optional(v.pipe(v.string(HOST), v.check(isHost, HOST)), "0.0.0.0"),',
  ]),
  mutant("a hundred guesses by default", "config.lock-out", [
    "config/schema.ts",
    'whole(1, 1000, "failures that lock an address"), 10)',
    'whole(1, 1000, "failures that lock an address"), 100)',
  ]),
  mutant("there is no security log by default", "config.log", [
    "config/schema.ts",
    'text(AUDIT)], AUDIT), "./sessions/audit.log"),',
    "text(AUDIT)], AUDIT), false),",
  ]),
  mutant(
    "the security log can be read by everybody",
    "config.file-modes",
    ["log/audit-log.ts", "O_WRONLY, 0o600);", "O_WRONLY, 0o644);"],
    ["log/audit-log.ts", "if ((stat.mode & 0o077) !== 0) fchmodSync(descriptor, 0o600);", ""],
  ),
  mutant("tokens are written to the security log", "config.log", [
    AUTHENTICATE,
    "        token: principal.name,\n        address: scope.client.key,",
    "        token: header,\n        address: scope.client.key,",
  ]),
];
