/**
 * The environment that the agent starts with: an allow-list, because whatever is in it the model can print.
 * What an owner wants beyond it goes into `agent.env`.
 */

/** What programs need to find files, a terminal type, a language, certificates and a proxy. */
const SYSTEM = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "TERM",
  "COLORTERM",
  "TZ",
  "TMPDIR",
  "SSH_AUTH_SOCK",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "ALL_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "all_proxy",
  "NIX_PATH",
  "NIX_PROFILES",
  "NIX_SSL_CERT_FILE",
];

/** Credentials and places of model providers, as pi 0.87.1 documents them in `docs/providers.md` and `--help`. */
const PROVIDERS = [
  "AI_GATEWAY_API_KEY",
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_AUTH_TOKEN",
  "ANTHROPIC_OAUTH_TOKEN",
  "ANT_LING_API_KEY",
  "BASETEN_API_KEY",
  "CEREBRAS_API_KEY",
  "COPILOT_GITHUB_TOKEN",
  "DEEPSEEK_API_KEY",
  "FIREWORKS_API_KEY",
  "GCLOUD_PROJECT",
  "GEMINI_API_KEY",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GOOGLE_CLOUD_API_KEY",
  "GOOGLE_CLOUD_LOCATION",
  "GOOGLE_CLOUD_PROJECT",
  "GROQ_API_KEY",
  "HF_TOKEN",
  "KIMI_API_KEY",
  "META_API_KEY",
  "MISTRAL_API_KEY",
  "MOONSHOT_API_KEY",
  "NVIDIA_API_KEY",
  "OPENAI_API_KEY",
  "OPENCODE_API_KEY",
  "OPENROUTER_API_KEY",
  "RADIUS_API_KEY",
  "TOGETHER_API_KEY",
  "XAI_API_KEY",
];

/** Families of names: locale, XDG folders, pi's own settings, providers with several variables each. */
const FAMILIES =
  /^(?:LC_[A-Z]+|XDG_[A-Z_]+|PI_[A-Z_]+|AWS_[A-Z_]+|AZURE_OPENAI_[A-Z_]+|CLOUDFLARE_(?:API_KEY|ACCOUNT_ID|GATEWAY_ID)|MINIMAX_(?:CN_)?API_KEY|(?:QWEN|XIAOMI)_[A-Z_]*API_KEY|ZAI_[A-Z_]*API_KEY)$/;

const ALLOWED = new Set([...SYSTEM, ...PROVIDERS]);

/**
 * @param own - Nest's environment
 * @param withheld - names whose values are Nest's own secrets (`env:NAME` in the config); they never pass
 * @param added - `agent.env`, which wins
 */
export function childEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  withheld: readonly string[],
  added: Readonly<Record<string, string>>,
): Record<string, string> {
  const child: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined || withheld.includes(name)) continue;
    if (ALLOWED.has(name) || FAMILIES.test(name)) child[name] = value;
  }
  return { ...child, ...added };
}
