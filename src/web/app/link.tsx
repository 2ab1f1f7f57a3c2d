import type { ComponentChildren } from "preact";
import { hrefOf, isPlainClick, navigate, type Route } from "./router.ts";

/** A link to a view of the workspace. */
export function Link({
  to,
  children,
  ...rest
}: {
  to: Route;
  children: ComponentChildren;
  class?: string;
  title?: string;
  "aria-current"?: "page" | undefined;
  "aria-label"?: string;
}) {
  return (
    <a
      {...rest}
      href={hrefOf(to)}
      onClick={(event) => {
        if (!isPlainClick(event)) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}
