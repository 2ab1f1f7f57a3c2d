/**
 * Keeps the height that is really visible in `--visible-height`: where the on-screen keyboard covers the page instead
 * of shrinking it (Safari on iOS), the composer would lie below it otherwise.
 */
export function watchViewport(): void {
  const { visualViewport } = window;
  if (visualViewport === null) return;
  const update = () => {
    const root = document.documentElement;
    root.style.setProperty("--visible-height", `${Math.round(visualViewport.height)}px`);
    root.toggleAttribute("data-keyboard", innerHeight - visualViewport.height > 120);
    // iOS scrolls the page to show the field; everything is in view already.
    if (visualViewport.offsetTop > 0) scrollTo(0, 0);
  };
  visualViewport.addEventListener("resize", update);
  visualViewport.addEventListener("scroll", update);
  update();
}
