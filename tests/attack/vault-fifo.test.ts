import { expect, test } from "bun:test";
import { constants, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { BEARER, testGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { mkfifo } from "../support/vault.ts";

/** Opening it would wake whoever waits at its other end. */
test("a FIFO is never opened, not even in the place of a file that was read before", async () => {
  await using nest = testGateway();
  const path = join(nest.dir, "vault", "note.md");
  const read = (init?: RequestInit) =>
    fetch(`${nest.url}/api/files/note.md`, { ...init, headers: BEARER });
  writeFileSync(path, "a file");
  expect(await (await read()).text()).toBe("a file");
  rmSync(path);
  mkfifo(path);
  const writer = Bun.spawn(["sh", "-c", 'echo "still here" > "$1"', "sh", path], {
    stderr: "ignore",
  });
  try {
    for (let n = 0; n < 20; n++) {
      expect((await read()).status).toBe(403);
      expect((await read({ method: "HEAD" })).status).toBe(403);
      expect((await read({ method: "PUT", body: "x" })).status).toBe(403);
      // The writer may have come to wait by now.
      await Bun.sleep(10);
    }
    const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const chunk = Buffer.alloc(100);
      const heard = await until(
        "the writer is heard, that nobody else has woken",
        async () => {
          const { bytesRead } = await reader
            .read(chunk, 0, 100, null)
            .catch(() => ({ bytesRead: 0 }));
          return bytesRead > 0 ? chunk.toString("utf8", 0, bytesRead) : undefined;
        },
        5000,
      );
      expect(heard).toBe("still here\n");
    } finally {
      await reader.close();
    }
  } finally {
    writer.kill();
    await writer.exited;
  }
}, 30_000);
