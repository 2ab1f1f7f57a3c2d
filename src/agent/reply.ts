/** The answer to a command. */
export type Reply =
  | { readonly success: true; readonly data?: unknown }
  | { readonly success: false; readonly error: string; readonly code?: string };
