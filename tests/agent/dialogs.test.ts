import { describe, expect, test } from "bun:test";
import { type DialogResult, Dialogs, MAX_OPEN_DIALOGS } from "../../src/agent/dialogs.ts";
import { FakeClock } from "../support/fake-clock.ts";

const request = (id: string, method = "select", rest: object = {}) => ({
  type: "extension_ui_request",
  id,
  method,
  ...rest,
});

function setUp() {
  const clock = new FakeClock();
  const resolved: [string, DialogResult][] = [];
  const dialogs = new Dialogs(clock, (id, result) => resolved.push([id, result]));
  return { clock, dialogs, resolved };
}

describe("Dialogs", () => {
  test("the first answer wins: then the dialog is open no more, and its end is told once", () => {
    const { dialogs, resolved } = setUp();
    dialogs.ask(request("d1"));
    expect(dialogs.isOpen("d1")).toBe(true);
    dialogs.resolve("d1", { value: "blue" });
    expect(dialogs.isOpen("d1")).toBe(false);
    dialogs.resolve("d1", { value: "red" });
    dialogs.resolve("d1", { cancelled: true });
    expect(resolved).toEqual([["d1", { value: "blue" }]]);
  });

  test("so many wait at the same time, and no more; what wants no answer is no dialog", () => {
    const { dialogs } = setUp();
    for (let i = 0; i < MAX_OPEN_DIALOGS; i++) expect(dialogs.ask(request(`d${i}`))).toBe(true);
    expect(dialogs.ask(request("more"))).toBe(false);
    expect(dialogs.isOpen("more")).toBe(false);
    expect(dialogs.ask(request("note", "notify"))).toBe(true);
    dialogs.resolve("d0", { cancelled: true });
    expect(dialogs.ask(request("more"))).toBe(true);
  });

  test("what nobody asked is not open and does not end", () => {
    const { dialogs, resolved } = setUp();
    for (const id of ["d1", "", "__proto__", "constructor"]) {
      expect(dialogs.isOpen(id)).toBe(false);
      dialogs.resolve(id, {});
    }
    expect(resolved).toEqual([]);
  });

  test.each(["select", "confirm", "input", "editor"].map((method) => ({ name: method })))(
    "$name waits for an answer and is shown to who comes late",
    ({ name }) => {
      const { dialogs } = setUp();
      const asked = request("d1", name, { title: "?" });
      dialogs.ask(asked);
      expect(dialogs.open).toEqual([asked]);
      dialogs.resolve("d1", {});
      expect(dialogs.open).toEqual([]);
    },
  );

  test.each(
    ["notify", "setStatus", "setWidget", "setTitle", "set_editor_text", "toString", ""].map(
      (method) => ({ name: method }),
    ),
  )("'$name' wants no answer", ({ name }) => {
    const { dialogs } = setUp();
    dialogs.ask(request("d1", name));
    expect(dialogs.open).toEqual([]);
    expect(dialogs.isOpen("d1")).toBe(false);
  });

  test("a request without an id, or without a method, is none", () => {
    const { dialogs } = setUp();
    dialogs.ask({ type: "extension_ui_request", method: "select" });
    dialogs.ask({ type: "extension_ui_request", method: "select", id: 7 });
    dialogs.ask({ type: "extension_ui_request", id: "d1" });
    expect(dialogs.open).toEqual([]);
  });

  test("several are open at once, in the order they were asked, each with its own answer", () => {
    const { dialogs, resolved } = setUp();
    for (const id of ["a", "b", "c"]) dialogs.ask(request(id));
    dialogs.resolve("b", { confirmed: false });
    expect(dialogs.open.map(({ id }) => id)).toEqual(["a", "c"]);
    expect(resolved).toEqual([["b", { confirmed: false }]]);
  });

  test("a timeout cancels what nobody has answered, at its time and once", () => {
    const { clock, dialogs, resolved } = setUp();
    dialogs.ask(request("d1", "confirm", { timeout: 5000 }));
    clock.advance(4999);
    expect(dialogs.open).toHaveLength(1);
    clock.advance(1);
    expect(dialogs.open).toEqual([]);
    expect(dialogs.isOpen("d1")).toBe(false);
    dialogs.resolve("d1", { confirmed: true });
    clock.advance(60_000);
    expect(resolved).toEqual([["d1", { cancelled: true }]]);
  });

  test("an answer in time calls the timeout off", () => {
    const { clock, dialogs, resolved } = setUp();
    dialogs.ask(request("d1", "confirm", { timeout: 5000 }));
    dialogs.resolve("d1", { confirmed: true });
    // The same id again, without a timeout: the old timer must not end it.
    dialogs.ask(request("d1"));
    clock.advance(60_000);
    expect(resolved).toEqual([["d1", { confirmed: true }]]);
    expect(dialogs.open).toHaveLength(1);
  });

  test("without a timeout, or with one that is none, it waits for ever", () => {
    const { clock, dialogs } = setUp();
    for (const timeout of [undefined, 0, -1, Number.NaN, "5000", null]) {
      dialogs.ask(request(`t${String(timeout)}`, "select", { timeout }));
    }
    clock.advance(86_400_000);
    expect(dialogs.open).toHaveLength(6);
  });

  test("cancelAll ends every dialog and its timer, when the process that asked has gone", () => {
    const { clock, dialogs, resolved } = setUp();
    dialogs.ask(request("a", "select", { timeout: 5000 }));
    dialogs.ask(request("b"));
    dialogs.cancelAll();
    clock.advance(60_000);
    expect(resolved).toEqual([
      ["a", { cancelled: true }],
      ["b", { cancelled: true }],
    ]);
    expect(dialogs.open).toEqual([]);
  });
});
