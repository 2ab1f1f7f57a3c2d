/** Signs and sends as the senders of webhooks do. */

export const GITHUB_SECRET = "It's a Secret to Everybody";
export const STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
export const BEARER_SECRET = "a-secret-of-the-ci-that-opens-nothing-else";

/** A config with a source of each kind. */
export const SOURCES = {
  github: {
    secret: GITHUB_SECRET,
    verify: "github",
    template: "{{action}} in {{repository.full_name}}: {{issue.title}}",
  },
  standard: { secret: STANDARD_SECRET, verify: "standard" },
  ci: { secret: BEARER_SECRET, verify: "bearer" },
};

export interface Delivery {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

const hmac = (key: string | Uint8Array, text: string) =>
  new Bun.CryptoHasher("sha256", key).update(text);
const JSON_TYPE = { "Content-Type": "application/json" };

export function githubDelivery(body: string, id: string = crypto.randomUUID()): Delivery {
  const signature = `sha256=${hmac(GITHUB_SECRET, body).digest("hex")}`;
  return {
    path: "/api/webhook/github",
    headers: { ...JSON_TYPE, "X-Hub-Signature-256": signature, "X-GitHub-Delivery": id },
    body,
  };
}

export function standardDelivery(
  body: string,
  { id = `msg_${crypto.randomUUID()}`, nowMs = Date.now() } = {},
): Delivery {
  const key = Buffer.from(STANDARD_SECRET.slice("whsec_".length), "base64");
  const seconds = Math.floor(nowMs / 1000);
  const signature = hmac(key, `${id}.${seconds}.${body}`).digest("base64");
  return {
    path: "/api/webhook/standard",
    headers: {
      ...JSON_TYPE,
      "webhook-id": id,
      "webhook-timestamp": String(seconds),
      "webhook-signature": `v1,${signature}`,
    },
    body,
  };
}

export function bearerDelivery(body: string, headers: Record<string, string> = {}): Delivery {
  return {
    path: "/api/webhook/ci",
    headers: { ...JSON_TYPE, Authorization: `Bearer ${BEARER_SECRET}`, ...headers },
    body,
  };
}

export function send(url: string, { path, headers, body }: Delivery): Promise<Response> {
  return fetch(url + path, { method: "POST", headers, body });
}
