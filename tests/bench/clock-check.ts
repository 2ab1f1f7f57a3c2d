import { sharedUs } from "./clock.ts";
import { FAKE_AGENT } from "./fake-agent.ts";
import type { Lab } from "./lab.ts";
import { benchEnv } from "./nest.ts";

const PROBES = 200;

/**
 * Proves that a time of the fake agent's and one of ours can be compared: each of its readings must lie between the two
 * of ours around it.
 *
 * @returns the narrowest such bracket, µs: no offset between the clocks can be larger
 * @throws {Error} if a reading lies outside
 */
export async function checkClock(lab: Lab): Promise<number> {
  const child = lab.own(
    Bun.spawn([...FAKE_AGENT], {
      env: benchEnv("/nonexistent"),
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
    }),
  );
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let narrowestUs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < PROBES; i++) {
    const beforeUs = sharedUs();
    child.stdin.write('{"id":"1","type":"clock"}\n');
    await child.stdin.flush();
    const { value } = await reader.read();
    const afterUs = sharedUs();
    const { data } = JSON.parse(decoder.decode(value)) as { data: { us: number } };
    if (data.us < beforeUs || data.us > afterUs) {
      throw new Error(
        `Cannot compare clocks: the agent's ${data.us} is not in ${beforeUs} to ${afterUs}`,
      );
    }
    narrowestUs = Math.min(narrowestUs, afterUs - beforeUs);
  }
  child.kill();
  return narrowestUs;
}
