import { useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

/** Rows drawn above and below what is seen. */
const SPARE = 12;

export interface RowWindow {
  readonly first: number;
  /** Behind the last. */
  readonly end: number;
  readonly rowHeight: number;
}

/** Which rows of a long list are drawn, all being equally high: `--target` of the style sheet. */
export function useRowWindow(scroller: RefObject<HTMLElement | null>, count: number): RowWindow {
  const seen = useSignal({ top: 0, height: 0, rowHeight: 34 });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const measure = () => {
      const rowHeight = Number.parseFloat(getComputedStyle(element).getPropertyValue("--target"));
      const now = {
        top: element.scrollTop,
        height: element.clientHeight,
        rowHeight: rowHeight || 34,
      };
      const was = seen.peek();
      if (now.top !== was.top || now.height !== was.height || now.rowHeight !== was.rowHeight)
        seen.value = now;
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, [count === 0]);
  const { top, height, rowHeight } = seen.value;
  const first = Math.max(0, Math.min(count, Math.floor(top / rowHeight)) - SPARE);
  const end = Math.min(count, Math.ceil((top + height) / rowHeight) + SPARE);
  return { first, end, rowHeight };
}

/** Brings a row into view, if it is not. */
export function scrollToRow(element: HTMLElement, index: number, rowHeight: number): void {
  const top = index * rowHeight;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top + rowHeight > element.scrollTop + element.clientHeight)
    element.scrollTop = top + rowHeight - element.clientHeight;
}
