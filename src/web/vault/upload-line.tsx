import { failures, progress, stopUpload } from "./upload.ts";

/** How far an upload is, and what did not work. */
export function UploadLine() {
  const now = progress.value;
  const failed = failures.value;
  if (now === undefined && failed.length === 0) return null;
  return (
    <div class="upload-line">
      {now !== undefined && (
        <>
          <div class="upload-words">
            <span class="ellipsis small">
              {now.files === 1 ? now.name : `${now.done + 1} of ${now.files}: ${now.name}`}
            </span>
            <button class="link small" onClick={stopUpload}>
              Stop
            </button>
          </div>
          <progress
            max={100}
            value={now.percent}
            aria-label={`Upload: ${Math.round(now.percent)} percent`}
          />
        </>
      )}
      {failed.length > 0 && (
        <div role="alert" class="small">
          <div class="upload-words">
            <strong class="problem">Not stored:</strong>
            <button class="link" onClick={() => (failures.value = [])}>
              Seen
            </button>
          </div>
          <ul class="plain-list">
            {failed.slice(-5).map(({ path, why }, i) => (
              <li key={i}>
                {path}: {why}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
