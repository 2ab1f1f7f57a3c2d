import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Why an empty root can't be made here; `undefined` where it can. */
export function emptyRootObstacle(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (process.getuid?.() !== 0) return "needs root";
  const { success } = Bun.spawnSync(["unshare", "-mn", "true"], { stderr: "ignore" });
  return success ? undefined : "needs unshare(1) and namespaces";
}

/**
 * Makes `dir` a root with an executable `/nest` and the libraries it is linked with, and nothing else: no shell, no `/tmp`,
 * no certificates.
 */
export function makeEmptyRoot(dir: string, executable: string): void {
  const { stdout } = Bun.spawnSync(["ldd", executable]);
  const libraries = stdout.toString().match(/\/\S*lib\S+/g) ?? [];
  for (const [from, to] of [[executable, "/nest"], ...libraries.map((path) => [path, path])]) {
    mkdirSync(join(dir, dirname(to as string)), { recursive: true });
    copyFileSync(from as string, join(dir, to as string));
    chmodSync(join(dir, to as string), 0o755);
  }
  for (const name of ["proc", "dev", "home"]) mkdirSync(join(dir, name));
}

/**
 * Runs a shell script outside the root, in namespaces where only loopback is (if ip(8) is there to put it up), with the
 * function `in_root` that runs a program inside. As in a container there are `/proc` and `/dev`.
 */
export async function runWithRoot(
  dir: string,
  script: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const hasIp = Bun.which("ip") !== null;
  const file = join(dir, "..", "script.sh");
  writeFileSync(
    file,
    [
      "set -eu",
      `mount -t proc proc "${dir}/proc"`,
      `mount --bind /dev "${dir}/dev"`,
      ...(hasIp ? ["ip link set lo up"] : []),
      `in_root() { env -i PATH=/nowhere HOME=/home \${NEST_TOKEN:+NEST_TOKEN="$NEST_TOKEN"} "$(command -v chroot)" "${dir}" "$@"; }`,
      script,
    ].join("\n"),
  );
  const child = Bun.spawn(["unshare", hasIp ? "-mnpf" : "-mpf", "--kill-child", "sh", file], {
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}
