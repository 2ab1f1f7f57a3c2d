export interface Ran {
  /** -1 if it was killed after its time. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** Runs a program to its end, or kills it after its time (20 s). */
export async function run(
  argv: readonly string[],
  { timeoutMs = 20_000, input = "", env, cwd }: RunOptions = {},
): Promise<Ran> {
  const child = Bun.spawn([...argv], {
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    ...(env && { env: { ...process.env, ...env } }),
    ...(cwd !== undefined && { cwd }),
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const code = await child.exited;
  return { code: child.signalCode === null ? code : -1, stdout, stderr };
}

/** As {@link run}, for what must succeed; returns standard output. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code !== 0) {
    throw new Error(
      `${argv.slice(0, 6).join(" ")} … ended with ${code}: ${(stderr + stdout).slice(-2000)}`,
    );
  }
  return stdout;
}

/** Why tests that need root and these programs can't run here; nothing if they can. */
export function missing(...programs: readonly string[]): string {
  if (process.platform !== "linux") return "Linux";
  if (process.getuid?.() !== 0) return "root";
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  return programs.filter((program) => Bun.which(program, { PATH: path }) === null).join(", ");
}

/** Says once, in words, what is left out and why. */
export function tellSkipped(what: string, needs: string): void {
  if (needs !== "") console.warn(`SKIPPED: ${what}: needs ${needs}`);
}
