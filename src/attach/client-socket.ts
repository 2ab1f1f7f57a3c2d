/** A WebSocket as far as it is used here: the browser's and Bun's are both. */
export interface ClientSocket {
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code?: number): void;
  addEventListener(
    type: "open" | "message" | "close" | "error",
    // A method, so that listeners of narrower events fit.
    listener: (event: { readonly data?: unknown; readonly code?: number }) => void,
  ): void;
}

/** Time as a client sees it. */
export interface ClientClock {
  /** Milliseconds of a clock that never steps back. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** The runtime's own WebSocket, which knows no headers in a browser. */
export function openGlobalSocket(url: string): ClientSocket {
  return new WebSocket(url);
}
