/** One file of the workspace, ready to be sent. */
export interface WorkspaceFile {
  /** Below the workspace's address: `assets/main-1a2b3c.js`, `sw.js`. */
  readonly path: string;
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly brotli?: Uint8Array<ArrayBuffer>;
  readonly gzip?: Uint8Array<ArrayBuffer>;
  /** Hash of the content, hex. */
  readonly hash: string;
}

/** The bundled workspace. */
export interface Workspace {
  readonly files: ReadonlyMap<string, WorkspaceFile>;
  /** The page, with every address in it written as {@link BASE_MARK} and a path below the workspace's own. */
  readonly shell: string;
}

/** Stands in the shell for the way from the page's address up to the workspace's: `./`, `../`, `../../`, … */
export const BASE_MARK = "{{base}}";

/** Hands out the workspace; built or unpacked when it is first asked for. */
export type WorkspaceSource = () => Promise<Workspace>;
