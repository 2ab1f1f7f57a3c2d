import { describe, expect, test } from "bun:test";
import { digestOf } from "../../src/auth/authenticator.ts";
import { type Credential, isSigned, standardKey, verify } from "../../src/webhook/signatures.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** GitHub's own, from "Validating webhook deliveries", section "Testing the webhook payload validation". */
const GITHUB = {
  credential: { verify: "github", key: bytes("It's a Secret to Everybody") } as Credential,
  headers: {
    "X-Hub-Signature-256":
      "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
  },
  body: bytes("Hello, World!"),
  nowMs: 0,
};

/** From the test suites of the Standard Webhooks reference libraries. */
const STANDARD = {
  credential: {
    verify: "standard",
    key: standardKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") as Uint8Array,
  } as Credential,
  headers: {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  },
  body: bytes('{"test": 2432232314}'),
  nowMs: 1_614_265_330_000,
};

const SECRET = "a-secret-that-a-script-of-mine-holds";
const BEARER = {
  credential: { verify: "bearer", digest: digestOf(SECRET) } as Credential,
  headers: { Authorization: `Bearer ${SECRET}` },
  body: bytes("{}"),
  nowMs: 0,
};

type Case = Omit<typeof STANDARD, "headers"> & { headers: Record<string, string> };
const check = ({ credential, headers, body, nowMs }: Case) =>
  verify(credential, { headers: new Headers(headers), body, nowMs });

const ALL: readonly (Case & { name: string; id?: string })[] = [
  { name: "github", ...GITHUB, id: GITHUB.headers["X-GitHub-Delivery"] },
  { name: "standard", ...STANDARD, id: STANDARD.headers["webhook-id"] },
  { name: "bearer", ...BEARER },
];

/** Every text that differs from this one in one bit of one character and still fits in a header. */
function* flipped(text: string): Generator<string> {
  for (let i = 0; i < text.length; i++) {
    for (let bit = 0; bit < 7; bit++) {
      const code = text.charCodeAt(i) ^ (1 << bit);
      if (code > 0x20 && code < 0x7f)
        yield text.slice(0, i) + String.fromCharCode(code) + text.slice(i + 1);
    }
  }
}

describe("verify", () => {
  test.each(ALL)("$name: the published delivery is good", (one) => {
    expect(check(one)).toEqual({ ok: true, ...(one.id !== undefined && { id: one.id }) });
  });

  test.each(ALL.filter(({ name }) => name !== "bearer"))(
    "$name: one flipped bit anywhere in the body is refused",
    (one) => {
      for (let i = 0; i < one.body.length * 8; i++) {
        const body = one.body.slice();
        body[i >> 3] = (body[i >> 3] as number) ^ (1 << (i & 7));
        expect(check({ ...one, body })).toEqual({ ok: false, reason: "wrong_credentials" });
      }
      expect(check({ ...one, body: one.body.slice(1) }).ok).toBe(false);
      expect(check({ ...one, body: new Uint8Array([...one.body, 0x0a]) }).ok).toBe(false);
      expect(check({ ...one, body: new Uint8Array() }).ok).toBe(false);
    },
  );

  test.each(ALL)(
    "$name: one flipped bit anywhere in what is signed or compared is refused",
    (one) => {
      for (const [name, value] of Object.entries(one.headers)) {
        // GitHub does not sign the delivery's id; the scheme's word may be in any case.
        if (name === "X-GitHub-Delivery") continue;
        for (const other of flipped(value)) {
          if (/^bearer /i.test(other) && other.slice(7) === SECRET) continue;
          expect([other, check({ ...one, headers: { ...one.headers, [name]: other } }).ok]).toEqual(
            [other, false],
          );
        }
      }
    },
  );

  test.each(ALL)("$name: one flipped bit anywhere in the secret is refused", (one) => {
    const secret = "key" in one.credential ? one.credential.key : one.credential.digest;
    for (let i = 0; i < secret.length * 8; i++) {
      const other = new Uint8Array(secret);
      other[i >> 3] = (other[i >> 3] as number) ^ (1 << (i & 7));
      const credential =
        one.credential.verify === "bearer"
          ? { ...one.credential, digest: other }
          : { ...one.credential, key: other };
      expect(check({ ...one, credential }).ok).toBe(false);
    }
  });

  test("standard: JSON that was parsed and written anew is refused", () => {
    const body = bytes(JSON.stringify(JSON.parse(new TextDecoder().decode(STANDARD.body))));
    expect(check({ ...STANDARD, body })).toEqual({ ok: false, reason: "wrong_credentials" });
  });

  test.each([
    { skewSeconds: 0, ok: true },
    { skewSeconds: 300, ok: true },
    { skewSeconds: -300, ok: true },
    { skewSeconds: 301, ok: false },
    { skewSeconds: -301, ok: false },
    { skewSeconds: 86_400 * 365, ok: false },
  ])("standard: a clock $skewSeconds s off is $ok", ({ skewSeconds, ok }) => {
    const verdict = check({ ...STANDARD, nowMs: STANDARD.nowMs + skewSeconds * 1000 });
    expect(verdict.ok).toBe(ok);
    if (!verdict.ok) expect(verdict.reason).toBe("stale_timestamp");
  });

  test("standard: a wrong signature is wrong at any time, so that nothing is told of the clock", () => {
    const headers = { ...STANDARD.headers, "webhook-signature": `v1,${"A".repeat(43)}=` };
    expect(check({ ...STANDARD, headers, nowMs: 0 })).toEqual({
      ok: false,
      reason: "wrong_credentials",
    });
  });

  const right = STANDARD.headers["webhook-signature"];
  test.each([
    { name: "old and new secret", list: `v1,${"A".repeat(43)}= ${right}`, ok: true },
    { name: "another version beside it", list: `v1a,abc ${right} v2,x`, ok: true },
    { name: "sixteen, the last right", list: `${"v1,x ".repeat(15)}${right}`, ok: true },
    { name: "seventeen, the last right", list: `${"v1,x ".repeat(16)}${right}`, ok: false },
    { name: "no version", list: right.slice(3), ok: false },
    { name: "another version alone", list: `v1a,${right.slice(3)}`, ok: false },
    { name: "commas between", list: `v1,x,${right}`, ok: false },
    { name: "hexadecimal", list: `v1,${Buffer.from(right.slice(3), "base64").toHex()}`, ok: false },
    { name: "empty", list: "", ok: false },
    { name: "cut short", list: right.slice(0, -5), ok: false },
    { name: "base64url", list: right.replace("+", "-").replaceAll("/", "_"), ok: false },
  ])("standard: a list of signatures, $name", ({ list, ok }) => {
    expect(
      check({ ...STANDARD, headers: { ...STANDARD.headers, "webhook-signature": list } }).ok,
    ).toBe(ok);
  });

  test("standard: an id can't swallow the timestamp", () => {
    // Signed content is id.timestamp.body: these two are the same bytes.
    const key = bytes("0123456789abcdef0123456789abcdef");
    const signed = new Bun.CryptoHasher("sha256", key).update("a.1.2.x").digest("base64");
    const at = (id: string, timestamp: string, body: string) =>
      check({
        credential: { verify: "standard", key },
        headers: {
          "webhook-id": id,
          "webhook-timestamp": timestamp,
          "webhook-signature": `v1,${signed}`,
        },
        body: bytes(body),
        nowMs: 1000,
      }).ok;
    expect(at("a", "1", "2.x")).toBe(true);
    expect(at("a.1", "2", "x")).toBe(false);
  });

  test.each([
    { name: "SHA-1", value: "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6" },
    { name: "no prefix", value: GITHUB.headers["X-Hub-Signature-256"].slice(7) },
    { name: "two headers joined", value: `${GITHUB.headers["X-Hub-Signature-256"]}, sha256=00` },
    { name: "upper case", value: GITHUB.headers["X-Hub-Signature-256"].toUpperCase() },
    { name: "empty", value: "" },
    { name: "undefined", value: "undefined" },
    {
      name: "the HMAC of nothing with nothing",
      value: `sha256=${new Bun.CryptoHasher("sha256", "").digest("hex")}`,
    },
  ])("github: $name is refused", ({ value }) => {
    expect(check({ ...GITHUB, headers: { "X-Hub-Signature-256": value } }).ok).toBe(false);
  });

  test("a credential of one kind is none of another", () => {
    for (const { credential, nowMs, body } of ALL) {
      for (const { headers, credential: own } of ALL) {
        if (own.verify === credential.verify) continue;
        expect(check({ credential, headers, nowMs, body })).toEqual({
          ok: false,
          reason: "missing_credentials",
        });
      }
    }
  });
});

test("isSigned: tells whether the body has to be read", () => {
  expect(ALL.map(({ headers }) => isSigned(new Headers(headers)))).toEqual([true, true, false]);
});

test.each([
  { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", bytes: 24 },
  { secret: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", bytes: 24 },
  { secret: "whsec_", bytes: undefined },
  { secret: "", bytes: undefined },
  { secret: "whsec_c2hvcnQ=", bytes: undefined },
  { secret: "whsec_not base64 at all, but long enough", bytes: undefined },
  { secret: "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", bytes: undefined },
])("standardKey: <$secret> has $bytes bytes", ({ secret, bytes: length }) => {
  expect(standardKey(secret)?.length).toBe(length as number);
});
