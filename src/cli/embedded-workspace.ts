/** A file of the workspace inside the executable; contents in base64. */
export interface EmbeddedFile {
  readonly path: string;
  readonly type: string;
  readonly hash: string;
  readonly bytes: string;
  readonly brotli?: string | undefined;
  readonly gzip?: string | undefined;
}

export interface EmbeddedWorkspace {
  readonly shell: string;
  readonly files: readonly EmbeddedFile[];
}

/** The workspace, where it was bundled beforehand: `scripts/build.ts` puts it here. Absent when running from source. */
export const embeddedWorkspace: EmbeddedWorkspace | undefined = undefined;
