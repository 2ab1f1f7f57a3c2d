import { expect, test } from "bun:test";
import { ToolUpdates } from "../../src/agent/tool-updates.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** Updates that were passed on, by name. */
function thinned() {
  const clock = new FakeClock();
  const updates = new ToolUpdates(clock);
  const passed: string[] = [];
  return {
    clock,
    updates,
    passed,
    say: (id: string, n: number) => updates.update(id, () => passed.push(`${id}${n}`)),
  };
}

test("the first passes at once, then the newest every 100 ms, each call for itself", () => {
  const { clock, passed, say } = thinned();
  say("a", 1);
  say("a", 2);
  say("b", 1);
  say("a", 3);
  expect(passed).toEqual(["a1", "b1"]);
  clock.advance(100);
  expect(passed).toEqual(["a1", "b1", "a3"]);
  say("a", 4);
  say("b", 2);
  expect(passed).toEqual(["a1", "b1", "a3", "b2"]);
  clock.advance(1000);
  expect(passed).toEqual(["a1", "b1", "a3", "b2", "a4"]);
});

test("the end of a call makes what was held back superfluous; the end of the process does not", () => {
  const { clock, updates, passed, say } = thinned();
  for (const id of ["a", "b"]) for (const n of [1, 2]) say(id, n);
  updates.end("a");
  updates.flush();
  clock.advance(1000);
  expect(passed).toEqual(["a1", "b1", "b2"]);
});

test("more calls than are held are not held back", () => {
  const { passed, say } = thinned();
  for (let i = 0; i < 1000; i++) for (const n of [1, 2]) say(`c${i}-`, n);
  expect(passed).toHaveLength(2000 - 64);
});
