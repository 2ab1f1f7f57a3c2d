import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes a conversation of pi's with so many questions, each with its answer, for the session `default`.
 *
 * @param dir - beside the config
 */
export function writeLongSession(dir: string, questions: number): void {
  const folder = join(dir, "sessions", "default", "scripted");
  mkdirSync(folder, { recursive: true });
  const timestamp = "2026-11-24T12:00:00.000Z";
  const id = "01a20fca-0000-7000-8000-000000000000";
  const lines: object[] = [
    { type: "session", version: 3, id, timestamp, cwd: join(dir, "vault") },
    { type: "model_change", id: "m0", parentId: null, timestamp, ...MODEL },
  ];
  let parentId = "m0";
  const add = (message: object) => {
    const own = `e${lines.length}`;
    lines.push({ type: "message", id: own, parentId, timestamp, message });
    parentId = own;
  };
  for (let i = 1; i <= questions; i++) {
    add({
      role: "user",
      content: [{ type: "text", text: `Question ${i}.` }],
      timestamp: 1_795_000_000_000 + i,
    });
    add({
      role: "assistant",
      content: [
        {
          type: "text",
          text: `Answer ${i}: **some** words with \`code\`.\n\n- one\n- two\n\n\`\`\`ts\nconst answer = ${i};\n\`\`\`\n\nAnd a few more words to fill a line or two of this answer.`,
        },
      ],
      api: "scripted",
      provider: MODEL.provider,
      model: MODEL.modelId,
      usage: USAGE,
      stopReason: "stop",
      timestamp: 1_795_000_000_000 + i,
    });
  }
  writeFileSync(
    join(folder, `2026-11-24T12-00-00-000Z_${id}.jsonl`),
    lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  );
}

const MODEL = { provider: "nest-scripted", modelId: "scripted-1" };
const USAGE = {
  input: 1,
  output: 1,
  cacheRead: 0,
  cacheWrite: 0,
  totalTokens: 2,
  cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 },
};
