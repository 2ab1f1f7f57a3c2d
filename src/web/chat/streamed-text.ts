import { type ReadonlySignal, signal } from "@preact/signals";
import { type Block, GrowingText } from "../markdown/blocks.ts";

/** At most this long without a frame (a page in the background has none), ms. */
const LONGEST_MS = 250;
/** For each of these lengths of an open block a frame is left out, UTF-16 code units. */
const LONG_BLOCK = 3000;
/** A parse that takes longer than a frame can spare, ms. */
const COSTLY_MS = 6;

/** A text that comes in pieces, shown once a frame however many there were. */
export class StreamedText {
  readonly #growing = new GrowingText();
  readonly #blocks = signal<readonly Block[]>([]);
  readonly #isOpen = signal(true);
  #pending = "";
  #restMs = 0;
  #cancel: (() => void) | undefined;

  get blocks(): ReadonlySignal<readonly Block[]> {
    return this.#blocks;
  }

  /** More may come. */
  get isOpen(): ReadonlySignal<boolean> {
    return this.#isOpen;
  }

  /** All that came, shown already or not. */
  get text(): string {
    return this.#growing.text + this.#pending;
  }

  append(piece: string): void {
    this.#pending += piece;
    this.#cancel ??= soon(this.#restMs, () => {
      this.#cancel = undefined;
      const startMs = performance.now();
      this.#flush();
      // Text that is costly to parse, by accident or on purpose, gets a fifth of the time and no more.
      const tookMs = performance.now() - startMs;
      this.#restMs = Math.max(
        tookMs > COSTLY_MS ? tookMs * 4 : 0,
        // A block without end is laid out anew as a whole, however little was added.
        Math.min(LONGEST_MS, Math.floor(this.#growing.openLength / LONG_BLOCK) * 16),
      );
    });
  }

  /** @param text - the whole, if it is known */
  finish(text: string = this.text): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#pending !== "") this.#growing.append(this.#pending);
    this.#pending = "";
    this.#growing.finish(text);
    this.#blocks.value = this.#growing.blocks;
    this.#isOpen.value = false;
  }

  #flush(): void {
    if (this.#pending === "") return;
    this.#growing.append(this.#pending);
    this.#pending = "";
    this.#blocks.value = this.#growing.blocks;
  }
}

/** In the next frame, but not before `restMs`. */
function soon(restMs: number, run: () => void): () => void {
  let isDone = false;
  let frame = 0;
  const once = () => {
    if (isDone) return;
    isDone = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    run();
  };
  const timer = setTimeout(once, Math.max(restMs, LONGEST_MS));
  if (restMs === 0) frame = requestAnimationFrame(once);
  return () => {
    isDone = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}
