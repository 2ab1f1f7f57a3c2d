import { useSignal } from "@preact/signals";
import { ChevronRight, Layers } from "lucide";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Link } from "../app/link.tsx";
import { resolveLink } from "../markdown/links.ts";
import { Icon } from "../view/icon.tsx";
import { textOf } from "./fields.ts";
import type { ToolItem, ToolState } from "./items.ts";
import { addedLines, type DiffLine, editLines, patchLines, toolWords } from "./tools.ts";

/** Lines drawn of one output or diff. */
const MAX_LINES = 2000;

const STATE_WORDS: Record<ToolState, string> = {
  writing: "prepares",
  running: "runs",
  done: "",
  failed: "failed",
  stopped: "stopped",
};

/** A tool's call: one line that opens to what came of it. While it runs it is open. */
export function ToolView({ item }: { item: ToolItem }) {
  const state = item.state.value;
  const chosen = useSignal<boolean | undefined>(undefined);
  const isLive = state === "running" && item.name === "bash" && item.output.value !== "";
  const isOpen = chosen.value ?? (isLive || state === "failed");
  const words = toolWords(item.name, item.args.value);
  return (
    <div class="item tool" data-state={state}>
      <button class="line" aria-expanded={isOpen} onClick={() => (chosen.value = !isOpen)}>
        <Icon of={words.icon} size={15} />
        <span class="line-verb">{words.verb}</span>
        <span class="line-target mono ellipsis" title={words.target}>
          {words.target}
        </span>
        <span class="line-state">
          {STATE_WORDS[state]}
          <Duration item={item} />
        </span>
        <Icon of={ChevronRight} size={14} />
      </button>
      {isOpen && <ToolBody item={item} path={words.path} />}
    </div>
  );
}

function Duration({ item }: { item: ToolItem }) {
  const now = useSignal(Date.now());
  const started = item.startedMs.value;
  const ended = item.endedMs.value;
  const isRunning = item.state.value === "running" && started > 0;
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(() => (now.value = Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isRunning]);
  if (started === 0) return null;
  const ms = (ended === 0 ? (isRunning ? now.value : started) : ended) - started;
  if (ms < (ended === 0 ? 1000 : 100)) return null;
  return <span> {ms < 10_000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s</span>;
}

function ToolBody({ item, path }: { item: ToolItem; path: string | undefined }) {
  const args = item.args.value;
  const diff = diffOf(item);
  const command = textOf(args["command"]);
  const target = path === undefined ? undefined : resolveLink(encodeURI(path));
  const output = item.output.value;
  const hidesOutput = diff !== undefined && item.state.value !== "failed";
  return (
    <div class="tool-body">
      {command.includes("\n") && <pre class="tool-command">{command}</pre>}
      {target?.kind === "vault" && !path?.startsWith("/") && (
        <p class="tool-open small">
          <Link to={{ kind: "note", path: target.path }}>Open {target.path}</Link>
        </p>
      )}
      {diff !== undefined && <Diff lines={diff} />}
      {!hidesOutput && <Output text={output} isLive={item.state.value === "running"} />}
    </div>
  );
}

function diffOf({ name, args, patch, state }: ToolItem): DiffLine[] | undefined {
  if (state.value === "failed") return undefined;
  if (name === "edit")
    return patch.value === undefined ? editLines(args.value) : patchLines(patch.value);
  if (name === "write") return addedLines(textOf(args.value["content"]));
  return undefined;
}

/** 24 lines, then it scrolls; while it runs it follows its end. */
function Output({ text, isLive }: { text: string; isLive: boolean }) {
  const element = useRef<HTMLPreElement>(null);
  useLayoutEffect(() => {
    if (isLive && element.current !== null)
      element.current.scrollTop = element.current.scrollHeight;
  }, [text, isLive]);
  const lines = text.split("\n");
  const cut = lines.length > MAX_LINES;
  return (
    <pre ref={element} class="tool-output" tabIndex={0} aria-label="Output">
      {cut && `… ${lines.length - MAX_LINES} earlier lines\n`}
      {cut ? lines.slice(-MAX_LINES).join("\n") : text.trimEnd()}
      {text.trim() === "" && <span class="dim">{isLive ? "no output yet" : "no output"}</span>}
    </pre>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−", place: " " } as const;

export function Diff({ lines }: { lines: readonly DiffLine[] }) {
  return (
    <div class="diff" tabIndex={0} role="group" aria-label="Changes">
      {lines.slice(0, MAX_LINES).map(({ kind, text }, i) => (
        <div key={i} class="diff-line" data-kind={kind}>
          <span class="diff-sign" aria-hidden="true">
            {SIGNS[kind]}
          </span>
          <span class="visually-hidden">
            {kind === "added" ? "added: " : kind === "removed" ? "removed: " : ""}
          </span>
          <span class="diff-text">{text === "" ? " " : text}</span>
        </div>
      ))}
      {lines.length > MAX_LINES && <p class="dim small">… {lines.length - MAX_LINES} more lines</p>}
    </div>
  );
}

/** Many steps in a row, in one line. */
export function ToolGroup({ tools }: { tools: readonly ToolItem[] }) {
  const isOpen = useSignal(false);
  const last = tools.at(-1);
  const isRunning = last?.state.value === "running" || last?.state.value === "writing";
  const folded = isRunning ? tools.slice(0, -1) : tools;
  const failed = folded.filter(({ state }) => state.value === "failed").length;
  return (
    <>
      <div class="item tool">
        <button
          class="line"
          aria-expanded={isOpen.value}
          onClick={() => (isOpen.value = !isOpen.value)}
        >
          <Icon of={Layers} size={15} />
          <span class="line-verb">{folded.length} steps</span>
          <span class="line-state">{failed > 0 ? `${failed} failed` : ""}</span>
          <Icon of={ChevronRight} size={14} />
        </button>
      </div>
      {isOpen.value && (
        <div class="tool-group">
          {folded.map((item) => (
            <ToolView key={item.id} item={item} />
          ))}
        </div>
      )}
      {isRunning && last && <ToolView key={last.id} item={last} />}
    </>
  );
}
